#include "kv.h"

#include "json_split.h"
#include "rpc.h"

#include <inttypes.h>
#include <stdlib.h>

#define RANGE_PAGE     50000 /* smaller pages cost etcd more: it counts all matches each time */
#define RANGE_PAGE_MAX 400000
/* A page of no more octets, and of no more than this part of the caller's patience, may be followed
 * by one of twice as many keys. */
#define RANGE_PAGE_OCTETS (32U << 20)
#define RANGE_PAGE_PART   8
#define RANGE_PAGE_OLD    10000 /* 3.3 refuses to send more than 4 MiB */
#define RANGE_PAGE_MIN    1
#define RANGE_SHORT_PAGE  1000 /* up to here an answer is due as soon as that of one key */
#define RANGE_KEY_MAX     (2U << 20)

/* Paging. etcd completes a page in memory before it sends the first octet, and its gateway once
 * more as JSON, so a range is read in pages: `limit` keys from `next` on, which is the last key
 * that was given with a zero octet behind it, the smallest key after it. All pages are read at
 * the revision of the first, so that together they are one state of the store. A page that
 * breaks off half way loses nothing: the keys that came have moved `next`, and the next attempt,
 * perhaps on another member, begins there. Of a page that makes no sense nothing may be kept, neither
 * its revision nor its keys: where some have been given, the range fails, and its owner begins anew.
 *
 * How large? Each page makes etcd count all matches again, so many small pages are quadratic; a
 * large one may not be built before the time-out. So pages begin with RANGE_PAGE keys and double
 * while they are fast and small (range_grow_page()); one that times out is asked for again at
 * the first size (range_shrink_page()). etcd 3.3 refuses to send more than 4 MiB and counts
 * values that we cannot foresee: there a refused page is halved, down to one key, and grows
 * again behind the keys that were too large (range_halve_page(), range_restore_page()). */
struct range {
    struct etcd *etcd;
    struct rpc *rpc;
    struct kv_range range; /* but key and end are in these: */
    struct buffer next;    /* the first key of what is still missing */
    struct buffer end;
    struct member *pin;
    kv_each *each;
    kv_range_done *done;
    void *arg;
    struct json_split split;
    struct kv_range_result result;
    uint32_t page; /* keys to ask for: the caller's wish, or halved; 0 = the default: */
    uint32_t default_page;
    uint64_t given;        /* keys, in all */
    uint64_t given_before; /* this attempt */
    uint64_t page_keys;    /* that came in this attempt, and may come; UINT32_MAX: any number */
    uint32_t page_max;
    uint64_t begun_ms; /* uv_now(): this page */
    uint64_t octets;   /* this page */
    bool has_more, has_outer;
    bool is_halved;   /* `page` is no caller's wish */
    bool is_next_cut; /* `next` is the beginning of a longer key, which was given */
    bool is_misled;   /* keys were given of a page that makes no sense */
    bool has_grown;   /* default_page stays as it is */
    bool is_feeding;  /* `each` may be running */
    bool is_dead;     /* to be freed once it has returned */
};

/* `each` may cancel the range, in the middle of json_split_feed(), whose buffers are in use
 * then. */
static void range_free(struct range *range)
{
    if (range->is_feeding) {
        range->is_dead = true;
        return;
    }
    json_split_clear(&range->split);
    buffer_clear(&range->next);
    buffer_clear(&range->end);
    free(range);
}

static bool range_begin_page(struct range *range);

/* Keys that may still be handed to `each`. A key alone is asked for again, from the same place, when
 * the reply broke off behind it. */
static uint32_t range_left(const struct range *range)
{
    uint32_t limit = range->end.len ? range->range.limit : 1;
    if (!limit)
        return UINT32_MAX;
    return range->given < limit ? limit - (uint32_t)range->given : 0;
}

/* Keys that a page on this member may have. */
static uint32_t range_page(const struct range *range, const struct member *member)
{
    if (range->range.count_only || range->end.len == 0)
        return 0;
    uint32_t default_page =
        member->version && member->version < 304 ? RANGE_PAGE_OLD : range->default_page;
    uint32_t page = range->page ? range->page : default_page;
    uint32_t left = range_left(range);
    if (left == 0) /* all were given, and then the reply broke off */
        return 1;
    return left < page ? left : page;
}

/* The next page begins behind all keys that share the beginning of one that was cut: they cannot be
 * told apart. */
static void range_pass_cut(struct range *range)
{
    struct buffer *next = &range->next;
    if (!range->is_next_cut)
        return;
    range->is_next_cut = false;
    while (next->len > 1 && (unsigned char)next->data[next->len - 1] == 0xff)
        next->len--;
    next->data[next->len - 1]++;
}

static void range_build(void *arg, const struct member *member, struct buffer *body)
{
    struct range *range = arg;
    uint32_t page = range_page(range, member);
    json_split_reset(&range->split);
    range_pass_cut(range);
    range->has_more = range->has_outer = false;
    range->given_before = range->given;
    range->page_keys = 0;
    range->page_max = page ? page : UINT32_MAX;
    if (range->given == 0) { /* what was said without a key was perhaps not true */
        range->result.revision = range->range.revision;
        range->result.cluster_id = 0;
    }
    buffer_add_text(body, "{\"key\":\"");
    buffer_add_base64(body, range->next.data, range->next.len);
    buffer_add_text(body, "\"");
    if (range->end.len) {
        buffer_add_text(body, ",\"range_end\":\"");
        buffer_add_base64(body, range->end.data, range->end.len);
        buffer_add_text(body, "\"");
    }
    if (page)
        buffer_printf(body, ",\"limit\":%" PRIu32, page);
    if (range->result.revision)
        buffer_printf(body, ",\"revision\":\"%" PRId64 "\"", range->result.revision);
    if (range->range.min_mod_revision)
        buffer_printf(body, ",\"min_mod_revision\":\"%" PRId64 "\"", range->range.min_mod_revision);
    buffer_add_text(body, range->range.keys_only ? ",\"keys_only\":true" : "");
    buffer_add_text(body, range->range.count_only ? ",\"count_only\":true" : "");
    buffer_add_text(body, "}");
}

/* The first answer says at which revision the rest is read, and in which cluster. */
static enum status range_take_header(struct range *range, const cJSON *root)
{
    struct kv_range_result *result = &range->result;
    struct gateway_reply_header header;
    if (!gateway_reply_header(root, &header) || header.revision < result->revision ||
        (result->cluster_id != 0 && header.cluster_id != result->cluster_id))
        return STATUS_BAD_REPLY;
    if (result->revision == 0)
        result->revision = header.revision;
    result->raft_term = header.raft_term;
    result->cluster_id = header.cluster_id;
    result->member_id = header.member_id;
    return STATUS_OK;
}

/* The header stands before the keys; should the page break off among them, the next attempt must
 * know the revision. */
static enum status range_on_begin(void *arg, const char *text, size_t len)
{
    struct range *range = arg;
    enum status status;
    cJSON *root = gateway_reply_parse_begun(text, len, "]}", &status);
    if (status == STATUS_OK)
        status = range_take_header(range, root);
    cJSON_Delete(root);
    return status;
}

/* The smallest key behind this one is the same with a zero octet. One that was cut has others
 * behind it that look the same: they may come, but in another page all of them would come again. */
static enum status range_set_next(struct range *range, const struct kv *kv)
{
    buffer_reset(&range->next);
    buffer_add(&range->next, kv->key, kv->key_len);
    range->is_next_cut = kv->is_key_cut;
    if (!kv->is_key_cut)
        buffer_add(&range->next, "", 1);
    return range->next.status;
}

/* A key is due that was asked for and is behind the last one; in the past that was asked for. */
static bool range_is_due(const struct range *range, const struct kv *kv)
{
    const struct buffer *next = &range->next, *end = &range->end;
    if (range->range.count_only || kv->mod_revision > range->result.revision)
        return false;
    if (range->page_keys >= range->page_max || (end->len == 0 && range->page_keys > 0))
        return false;
    return gateway_reply_kv_is_within(kv, next->data, next->len, end->data, end->len);
}

static enum status range_on_element(void *arg, const char *text, size_t len)
{
    struct range *range = arg;
    struct kv kv;
    enum status status;
    cJSON *object = gateway_reply_parse(text, len, &status);
    bool is_wanted = range_left(range) > 0;
    if (status == STATUS_OK && !(gateway_reply_kv(object, &kv) && range_is_due(range, &kv)))
        status = STATUS_BAD_REPLY;
    if (status == STATUS_OK && range->end.len)
        status = range_set_next(range, &kv);
    range->page_keys++;
    if (status == STATUS_OK && is_wanted) {
        range->given++;
        if ((range->each && !range->each(range->arg, &kv)) || range->is_dead)
            status = STATUS_CANCELLED;
    }
    cJSON_Delete(object);
    return status;
}

/* What stands beside the keys must fit them: all that there are, or some, and that there are more.
 * A page that says less would have the owner forget the rest. */
static bool range_is_whole(const struct range *range, const cJSON *root, uint64_t count)
{
    static const char *const members[] = {"header", "kvs", "more", "count", NULL};
    const cJSON *kvs = cJSON_GetObjectItemCaseSensitive(root, "kvs");
    bool has_more;
    if (!gateway_reply_has_bool(root, "more", &has_more) || (kvs && !cJSON_IsArray(kvs)))
        return false;
    if (range->range.count_only)
        return !has_more && range->page_keys == 0 && gateway_reply_has_only(root, members);
    if (has_more)
        return range->page_keys > 0 && range->page_keys < count;
    /* Etcd counts also the keys that are left out because they have not changed since. */
    bool is_all =
        range->range.min_mod_revision ? range->page_keys <= count : range->page_keys == count;
    return is_all && (count > 0 || gateway_reply_has_only(root, members));
}

static enum status range_on_outer(void *arg, const char *text, size_t len)
{
    struct range *range = arg;
    uint64_t count;
    enum status status = STATUS_BAD_REPLY;
    cJSON *root = range->has_outer ? NULL : gateway_reply_parse(text, len, &status);
    if (gateway_reply_has_uint(root, "count", &count) && range_is_whole(range, root, count))
        status = range_take_header(range, root);
    else if (status == STATUS_OK)
        status = STATUS_BAD_REPLY;
    range->has_more = gateway_reply_bool(root, "more");
    range->has_outer = true;
    range->result.count = range->given_before + count;
    cJSON_Delete(root);
    return status;
}

static enum status range_on_data(void *arg, const char *octets, size_t len, struct detail *why)
{
    struct range *range = arg;
    range->octets += len;
    range->is_feeding = true;
    enum status status = json_split_feed(&range->split, octets, len);
    range->is_feeding = false;
    if (range->is_dead) {
        range_free(range);
        return STATUS_CANCELLED;
    }
    range->is_misled = status == STATUS_BAD_REPLY && range->given > range->given_before;
    if (status == STATUS_CANCELLED)
        detail_set(why, status, "stopped");
    else if (status != STATUS_OK)
        detail_set(why, status, "range: %s", status_text(status));
    return status;
}

static enum status range_check(void *arg, const char *reply, size_t len, struct detail *why)
{
    const struct range *range = arg;
    (void)reply, (void)len;
    if (range->has_outer && json_split_at_boundary(&range->split))
        return STATUS_OK;
    return detail_set(why, STATUS_BAD_REPLY, "range: the reply was cut off");
}

static bool range_may_repeat(void *arg)
{
    return !((const struct range *)arg)->is_misled;
}

static void range_finish(struct range *range, enum status status, const struct detail *why)
{
    kv_range_done *done = range->done;
    void *arg = range->arg;
    struct kv_range_result result = range->result;
    range_free(range);
    done(arg, status, &result, why);
}

/* etcd completes a page before it sends the first octet: well within the time-out, if possible. */
static void range_grow_page(struct range *range)
{
    uint32_t patience_ms =
        range->range.timeout_ms ? range->range.timeout_ms : range->etcd->timeout_ms;
    uint64_t took_ms = uv_now(range->etcd->loop) - range->begun_ms;
    if (took_ms > patience_ms / RANGE_PAGE_PART || range->octets > RANGE_PAGE_OCTETS)
        range->has_grown = true;
    else if (!range->has_grown && range->default_page < RANGE_PAGE_MAX)
        range->default_page *= 2;
}

/* A page that timed out is asked for again, in smaller ones. */
static bool range_shrink_page(struct range *range)
{
    if (range->default_page == RANGE_PAGE)
        return false;
    range->default_page = RANGE_PAGE;
    range->has_grown = true;
    return true;
}

/* 3.3 sends at most 4 MiB. */
static bool range_halve_page(struct range *range)
{
    uint32_t page = range->page ? range->page : RANGE_PAGE_OLD;
    if (range->end.len == 0 || page <= RANGE_PAGE_MIN)
        return false;
    range->page = page / 2;
    range->is_halved = true;
    return true;
}

/* The key that was too large has been passed: grow, or a million keys would come one by one. */
static void range_restore_page(struct range *range)
{
    if (!range->is_halved)
        return;
    uint32_t whole = range->range.page ? range->range.page : RANGE_PAGE_OLD;
    range->page = range->page < whole / 2 ? range->page * 2 : whole;
}

/* Whether another page is to be asked for. */
static bool range_has_next(struct range *range, enum status status)
{
    if (status == STATUS_TOO_LARGE)
        return range_halve_page(range);
    if (status == STATUS_TIMED_OUT)
        return range_shrink_page(range);
    if (status != STATUS_OK || !range->has_more || range->given == range->given_before ||
        range_left(range) == 0)
        return false;
    range_restore_page(range);
    range_grow_page(range);
    return true;
}

static void range_on_done(void *arg, enum status status, const struct detail *why)
{
    struct range *range = arg;
    range->rpc = NULL;
    if (!range_has_next(range, status))
        range_finish(range, status, why);
    else if (!range_begin_page(range))
        range_finish(range, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
}

static bool range_begin_page(struct range *range)
{
    /* An attempt's 2 s are for an answer that is due at once. A long page may take etcd longer
     * before its first octet, so that it has all the range's time. */
    bool is_short =
        range->end.len == 0 || (range->range.page && range->range.page <= RANGE_SHORT_PAGE);
    struct rpc_request request = {
        .method = RPC_RANGE,
        .timeout_ms = range->range.timeout_ms,
        .attempt_ms = is_short ? 0 : UINT32_MAX,
        .is_idempotent = true,
        .pin = range->pin,
        .build = range_build,
        .data = range_on_data,
        .check = range_check,
        .may_repeat = range_may_repeat,
        .done = range_on_done,
        .arg = range,
    };
    range->rpc = rpc_start(range->etcd, &request);
    range->begun_ms = uv_now(range->etcd->loop); /* up to date: rpc_start() has seen to that */
    range->octets = 0;
    return range->rpc;
}

struct range *range_start(struct etcd *etcd, const struct kv_range *options, struct member *pin,
                          kv_each *each, kv_range_done *done, void *arg)
{
    static const struct json_split_events events = {range_on_begin, range_on_element,
                                                    range_on_outer};
    struct range *range = calloc(1, sizeof(*range));
    if (!range)
        return NULL;
    *range = (struct range){.etcd = etcd,
                            .range = *options,
                            .pin = pin,
                            .page = options->page,
                            .default_page = RANGE_PAGE,
                            .each = each,
                            .done = done,
                            .arg = arg};
    range->range.key = range->range.end = NULL;
    range->result.revision = options->revision;
    json_split_init(&range->split, NULL, "kvs", &events, range);
    buffer_init(&range->next, RANGE_KEY_MAX);
    buffer_init(&range->end, RANGE_KEY_MAX);
    /* etcd refuses an empty key; "\0" is the first there can be. */
    if (options->key_len)
        buffer_add(&range->next, options->key, options->key_len);
    else
        buffer_add(&range->next, "", 1);
    if (options->end)
        buffer_add(&range->end, options->end, options->end_len);
    bool is_copied = range->next.status == STATUS_OK && range->end.status == STATUS_OK;
    if (!is_copied || !range_begin_page(range)) {
        range_free(range);
        return NULL;
    }
    return range;
}

void range_cancel(struct range *range)
{
    if (range->rpc)
        rpc_cancel(range->rpc);
    range_free(range);
}
