#include "watch.h"

#include "json_split.h"
#include "rpc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct watch {
    struct etcd *etcd;
    struct rpc *rpc;
    const struct watch_events *events;
    void *arg;
    struct json_split split;
    uint64_t last_seen_ms;
    size_t octets;         /* since then */
    struct kv_range range; /* its revision: of the last event told; before, the one to start from */
    int64_t line_revision; /* the store's when the line was written, as far as its beginning says */
    bool is_created;
    bool has_events; /* in this line */
    bool is_feeding; /* a callback may be running */
    bool is_dead;    /* to be freed once it has returned */
    struct detail why;
};

#define WATCH_PIECE (16U << 10)

/* The stream has gone on: by an event, by a line, or by much of a long one. Blanks, or half a line
 * octet by octet, are a proxy's doing and no sign of etcd. */
static void watch_see(struct watch *watch)
{
    watch->last_seen_ms = uv_now(watch->etcd->loop);
    watch->octets = 0;
}

/* What stops a watch may be called by json_split_feed(), whose buffers are in use then. */
static void watch_free(struct watch *watch)
{
    if (watch->is_feeding) {
        watch->is_dead = true;
        return;
    }
    json_split_clear(&watch->split);
    free(watch);
}

/* Without "fragment", which bounds a line's length in a time that grows squarely (20 s for 200,000
 * events; the splitter needs no such bound), and without "progress_notify": what comes every ten
 * minutes is no sign of life. */
static void watch_build(void *arg, const struct member *member, struct buffer *body)
{
    const struct kv_range *range = &((struct watch *)arg)->range;
    (void)member;
    buffer_add_text(body, "{\"create_request\":{\"key\":\"");
    buffer_add_base64(body, range->key, range->key_len);
    buffer_add_text(body, "\",\"range_end\":\"");
    buffer_add_base64(body, range->end, range->end_len);
    buffer_printf(body, "\",\"start_revision\":\"%" PRId64 "\"}}", range->revision);
}

/* A PUT, a DELETE (false), or neither. JSON made from protobuf may have the name or the number, and
 * leaves out what is 0. */
static bool watch_read_type(const cJSON *event, bool *is_put)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(event, "type"));
    int64_t number = -1;
    if (name)
        number = strcmp(name, "PUT") == 0 ? 0 : strcmp(name, "DELETE") == 0 ? 1 : -1;
    else if (!gateway_reply_has_int(event, "type", &number))
        return false;
    *is_put = number == 0;
    return number == 0 || number == 1;
}

/* The header stands before the events, which are told before their line ends: what is not there yet is
 * no event. Without one there it is looked for at the end. */
static enum status watch_on_begin(void *arg, const char *text, size_t len)
{
    struct watch *watch = arg;
    struct gateway_reply_header header;
    enum status status;
    cJSON *root = gateway_reply_parse_begun(text, len, "]}}", &status);
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(root, "result");
    bool has_header = status == STATUS_OK && gateway_reply_header(result, &header);
    watch->line_revision = has_header ? header.revision : INT64_MAX;
    cJSON_Delete(root);
    return status;
}

/* Of the keys that are watched, and no older than what was asked for or told; as old it may be,
 * since all events of a transaction have one revision. */
static bool watch_is_due(const struct watch *watch, const struct kv *kv)
{
    const struct kv_range *range = &watch->range;
    return watch->is_created && kv->mod_revision >= range->revision &&
           kv->mod_revision <= watch->line_revision &&
           gateway_reply_kv_is_within(kv, range->key, range->key_len, range->end, range->end_len);
}

static void watch_tell(struct watch *watch, bool is_put, const struct kv *kv)
{
    watch->has_events = true;
    watch->range.revision = kv->mod_revision;
    if (is_put)
        watch->events->put(watch->arg, kv);
    else
        watch->events->remove(watch->arg, kv->key, kv->key_len, kv->mod_revision);
}

/* {"type":"DELETE","kv":{..}}, told before its line ends: that may be 40 MB later. */
static enum status watch_on_element(void *arg, const char *text, size_t len)
{
    struct watch *watch = arg;
    struct kv kv;
    enum status status;
    watch_see(watch);
    cJSON *event = gateway_reply_parse(text, len, &status);
    bool is_put;
    bool is_good = gateway_reply_kv(cJSON_GetObjectItemCaseSensitive(event, "kv"), &kv) &&
                   watch_read_type(event, &is_put) && watch_is_due(watch, &kv);
    if (is_good)
        watch_tell(watch, is_put, &kv);
    cJSON_Delete(event);
    if (watch->is_dead)
        return STATUS_CANCELLED;
    return is_good || status != STATUS_OK ? status : STATUS_BAD_REPLY;
}

/* Why the server ended the watch. With compact_revision it says nothing else. etcd leaves the
 * stream open after it, and silent: not to return OK is what ends it. */
static enum status watch_cancelled(struct watch *watch, const cJSON *result)
{
    const cJSON *reason = cJSON_GetObjectItemCaseSensitive(result, "cancel_reason");
    struct gateway_reply_error error;
    if (gateway_reply_int(result, "compact_revision"))
        return detail_set(&watch->why, STATUS_COMPACTED, "watch: %s",
                          status_text(STATUS_COMPACTED));
    if (!cJSON_IsString(reason))
        return detail_set(&watch->why, STATUS_UNREACHABLE, "watch: cancelled by the server");
    gateway_reply_error_message(reason->valuestring, &error);
    rpc_refuse(watch->rpc, &error);
    return detail_set(&watch->why, error.status, "watch: %s", error.message);
}

static enum status watch_on_result(struct watch *watch, const cJSON *result)
{
    struct gateway_reply_header header = {0};
    const cJSON *events = cJSON_GetObjectItemCaseSensitive(result, "events");
    if (events && !cJSON_IsArray(events)) /* one that is has been taken out */
        return STATUS_BAD_REPLY;
    if (gateway_reply_bool(result, "canceled"))
        return watch_cancelled(watch, result);
    bool is_created = gateway_reply_bool(result, "created");
    /* The first line and no other says "created"; no line is older than its events. */
    if (!gateway_reply_header(result, &header) || is_created == watch->is_created ||
        (watch->has_events && header.revision < watch->range.revision))
        return STATUS_BAD_REPLY;
    if (is_created) {
        watch->is_created = true;
        rpc_settle(watch->rpc); /* from now on the stream may idle */
        watch->events->created(watch->arg, &header);
    } else if (watch->has_events) {
        watch->events->on_batch_end(watch->arg, watch->range.revision);
    }
    watch->has_events = false;
    return watch->is_dead ? STATUS_CANCELLED : STATUS_OK;
}

static enum status watch_on_outer(void *arg, const char *text, size_t len)
{
    struct watch *watch = arg;
    struct gateway_reply_error error;
    watch_see(watch);
    enum status status;
    cJSON *root = gateway_reply_parse(text, len, &status);
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(root, "result");
    if (status == STATUS_NO_MEMORY)
        return status;
    if (cJSON_IsObject(result)) {
        status = watch_on_result(watch, result);
    } else { /* HTTP's status went out with the first line: an error comes as the last one */
        gateway_reply_error(200, text, len, &error);
        status = detail_set(&watch->why, error.status, "watch: %s", error.message);
    }
    cJSON_Delete(root);
    return status;
}

static enum status watch_on_data(void *arg, const char *octets, size_t len, struct detail *why)
{
    struct watch *watch = arg;
    watch->octets += len;
    if (watch->octets >= WATCH_PIECE)
        watch_see(watch);
    /* A callback may stop the watch: it is freed here then, once the splitter has returned. */
    watch->is_feeding = true;
    enum status status = json_split_feed(&watch->split, octets, len);
    watch->is_feeding = false;
    if (watch->is_dead) {
        watch_free(watch);
        return STATUS_CANCELLED;
    }
    if (status != STATUS_OK && !watch->why.text[0])
        detail_set(&watch->why, status, "watch: %s", status_text(status));
    *why = watch->why;
    return status;
}

static void watch_on_done(void *arg, enum status status, const struct detail *why)
{
    struct watch *watch = arg;
    struct detail text = *why;
    if (status == STATUS_OK)
        status = detail_set(&text, STATUS_UNREACHABLE, "watch: the stream ended");
    const struct watch_events *events = watch->events;
    void *owner = watch->arg;
    watch->rpc = NULL; /* ended: there is nothing to cancel */
    watch_free(watch);
    events->on_closed(owner, status, &text);
}

struct watch *watch_start(struct etcd *etcd, struct member *member, const struct kv_range *range,
                          const struct watch_events *events, void *arg)
{
    static const struct json_split_events stream_events = {watch_on_begin, watch_on_element,
                                                           watch_on_outer};
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return NULL;
    *watch = (struct watch){.etcd = etcd, .events = events, .arg = arg, .range = *range};
    json_split_init(&watch->split, "result", "events", &stream_events, watch);
    /* One attempt on one member: whoever follows decides where to go on, and from which
     * revision. */
    struct rpc_request request = {
        .method = RPC_WATCH,
        .is_idempotent = true,
        .is_stream = true,
        .pin = member,
        .build = watch_build,
        .data = watch_on_data,
        .done = watch_on_done,
        .arg = watch,
    };
    watch->rpc = rpc_start(etcd, &request);
    if (!watch->rpc) {
        watch_free(watch);
        return NULL;
    }
    return watch;
}

void watch_hand_over(struct watch *watch, const struct watch_events *events)
{
    watch->events = events;
}

void watch_stop(struct watch *watch)
{
    rpc_cancel(watch->rpc);
    watch_free(watch);
}

bool watch_in_batch(const struct watch *watch)
{
    return watch->has_events || !json_split_at_boundary(&watch->split);
}

uint64_t watch_last_seen_ms(const struct watch *watch)
{
    return watch->last_seen_ms;
}
