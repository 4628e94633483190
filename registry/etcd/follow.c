#include "follow.h"

#include "follow_parts.h"

#include <stdlib.h>
#include <string.h>

#define FOLLOW_SLICE           4096  /* keys of a load between two commits */
#define FOLLOW_LOAD_TIMEOUT_MS 10000 /* without progress */
#define FOLLOW_PAUSE_MS        250U
#define FOLLOW_PAUSE_MAX_MS    1000 /* an answer is to be right soon after etcd is back */
#define FOLLOW_RELOAD_MS       1000 /* between the beginnings of two loads */
#define FOLLOW_LOST_MAX        3    /* in vain, before what cannot be followed is loaded */
#define FOLLOW_KEY_MAX         (2U << 20)
#define FOLLOW_PROOF_MS        30000
#define FOLLOW_READ_MAX        20000

uint64_t follow_now_ms(const struct follow *follow)
{
    return uv_now(follow->etcd->loop);
}

/* Stop all requests. */
static void follow_halt(struct follow *follow)
{
    if (follow->load)
        range_cancel(follow->load);
    follow->load = NULL;
    follow_watch_halt(follow);
    uv_timer_stop(&follow->timer);
}

static void follow_pause(struct follow *follow, uint32_t pause_ms)
{
    follow->state = FOLLOW_PAUSED;
    uv_timer_start(&follow->timer, follow_on_timer, pause_ms, 0);
}

void follow_set_live(struct follow *follow)
{
    follow->reason_count = 0;
    if (follow->contact == FOLLOW_CONTACT_LIVE)
        return;
    follow->contact = FOLLOW_CONTACT_LIVE;
    follow->events.contact(follow->arg, true, &(struct detail){""});
}

/* Whether this outage has not had this reason yet: two that alternate are told once. */
static bool follow_is_new_reason(struct follow *follow, const char *text)
{
    uint32_t hash = 2166136261U;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619U;
    for (unsigned i = 0; i < follow->reason_count; i++)
        if (follow->reasons[i] == hash)
            return false;
    if (follow->reason_count == FOLLOW_REASONS_MAX)
        return false;
    follow->reasons[follow->reason_count++] = hash;
    return true;
}

/* Told on a change, also of the reason; that access is denied now, or no longer, is always one. */
static void follow_set_lost(struct follow *follow, enum status status, const struct detail *why)
{
    bool is_change = follow->contact != FOLLOW_CONTACT_LOST ||
                     (status == STATUS_DENIED) != (follow->lost_status == STATUS_DENIED);
    if (follow->contact != FOLLOW_CONTACT_LOST)
        follow->reason_count = 0;
    follow->contact = FOLLOW_CONTACT_LOST;
    follow->lost_status = status;
    if (follow_is_new_reason(follow, why->text) || is_change)
        follow->events.contact(follow->arg, false, why);
}

void follow_fail(struct follow *follow, enum status status, const struct detail *why)
{
    uint32_t pause_ms = 0;
    if (follow->failures > 0) {
        unsigned doublings = follow->failures < 4 ? follow->failures - 1 : 3;
        pause_ms = FOLLOW_PAUSE_MS << doublings;
        pause_ms = pause_ms < FOLLOW_PAUSE_MAX_MS ? pause_ms : FOLLOW_PAUSE_MAX_MS;
        pause_ms = pause_ms / 2 + member_random(pause_ms / 2 + 1);
    }
    follow->failures++;
    follow_halt(follow);
    follow_pause(follow, pause_ms);
    follow_set_lost(follow, status, why);
}

void follow_reload(struct follow *follow, const char *reason)
{
    log_printf(&follow->etcd->log, LOG_LEVEL_INFO, "loading the tree again: %s", reason);
    follow_halt(follow);
    follow->facts.reloads++;
    follow->needs_load = true;
    bool is_soon = follow_now_ms(follow) - follow->load_began_ms < FOLLOW_RELOAD_MS;
    follow_pause(follow, is_soon ? FOLLOW_RELOAD_MS : 0);
}

void follow_load_again(struct follow *follow, const char *reason)
{
    follow_reload(follow, reason);
}

void follow_witness_put(struct follow *follow, const struct kv *kv)
{
    struct follow_check_newest_key *newest_key = &follow->newest_key;
    if (kv->mod_revision < newest_key->mod_revision)
        return;
    buffer_reset(&newest_key->key);
    buffer_add(&newest_key->key, kv->key, kv->key_len);
    if (newest_key->key.status != STATUS_OK)
        buffer_reset(&newest_key->key);
    newest_key->is_deleted = false;
    newest_key->mod_revision = kv->mod_revision;
    newest_key->create_revision = kv->create_revision;
    newest_key->version = kv->version;
    newest_key->hash = follow_check_hash(kv);
}

/* Not before there is something to tell: an etcd that is away is asked again and again. */
static void follow_begin_load(struct follow *follow)
{
    if (follow->has_begun)
        return;
    follow->has_begun = true;
    follow->newest_key.mod_revision = 0;
    buffer_reset(&follow->newest_key.key);
    follow->events.load_begin(follow->arg);
}

static bool follow_on_load_kv(void *arg, const struct kv *kv)
{
    struct follow *follow = arg;
    follow_begin_load(follow);
    if (follow->is_stopped)
        return false;
    follow->last_seen_ms = follow_now_ms(follow);
    follow_witness_put(follow, kv);
    follow->events.put(follow->arg, kv);
    if (!follow->is_stopped && ++follow->slice % FOLLOW_SLICE == 0)
        follow->events.commit(follow->arg, 0);
    return !follow->is_stopped;
}

/* What was read is right as of its revision: from there on it will be proven. */
static void follow_take_load(struct follow *follow, const struct kv_range_result *result)
{
    follow->needs_load = follow->needs_check = follow->has_told = false;
    follow->watches_lost = follow->stalls = 0;
    follow->revision = follow->loaded = follow->newest = result->revision;
    follow->raft_term = result->raft_term;
    follow->cluster_id = result->cluster_id;
    follow->last_seen_ms = follow_now_ms(follow);
    ledger_reset(&follow->ledger, result->revision);
    follow->proving.failures = follow->proving.doubts = 0;
    follow->proving.counted = result->revision;
    follow->proving.done_ms = follow_now_ms(follow);
    follow->proving.due_ms = follow->proving.done_ms + follow->proving.every_ms;
}

static void follow_on_load_done(void *arg, enum status status, const struct kv_range_result *result,
                                const struct detail *why)
{
    struct follow *follow = arg;
    follow->load = NULL;
    if (status == STATUS_COMPACTED && follow->failures == 0) {
        follow->failures++;
        follow_pause(follow, 0);
        return;
    }
    if (status != STATUS_OK) {
        follow_fail(follow, status, why);
        return;
    }
    follow_begin_load(follow);
    if (follow->is_stopped)
        return;
    follow_take_load(follow, result);
    follow->events.load_end(follow->arg, follow->revision);
    if (!follow->is_stopped)
        follow->events.commit(follow->arg, follow->revision);
    if (!follow->is_stopped)
        follow_pause(follow, 0);
}

static void follow_load(struct follow *follow)
{
    struct kv_range range = {
        .key = follow->prefix.text,
        .key_len = follow->prefix.len,
        .end = follow->end.text,
        .end_len = follow->end.len,
        .timeout_ms = FOLLOW_LOAD_TIMEOUT_MS,
    };
    follow->state = FOLLOW_LOADING;
    follow->slice = 0;
    follow->load_began_ms = follow_now_ms(follow);
    follow->has_begun = false;
    follow->load =
        range_start(follow->etcd, &range, NULL, follow_on_load_kv, follow_on_load_done, follow);
    if (!follow->load)
        follow_fail(follow, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
}

static void follow_on_knock(void *arg, enum status status, const struct kv_range_result *result,
                            const struct detail *why)
{
    struct follow *follow = arg;
    (void)result;
    follow->probe = NULL;
    if (status != STATUS_OK) {
        struct detail text = *why;
        follow_fail(follow, status, &text);
        return;
    }
    /* Reads are answered, but nothing can be followed. */
    uint64_t age_ms = follow_now_ms(follow) - follow->proving.done_ms;
    if (follow->watches_lost >= FOLLOW_LOST_MAX && age_ms >= follow->proving.every_ms)
        follow_load(follow);
    else
        follow_watch_join(follow);
}

/* A watch has one member to be on; whether any is back, a read of all of them tells. */
static void follow_knock(struct follow *follow)
{
    follow->state = FOLLOW_KNOCKING;
    follow->probe = follow_ask(follow, NULL, follow_on_knock);
    if (!follow->probe)
        follow_fail(follow, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
}

void follow_on_timer(uv_timer_t *timer)
{
    struct follow *follow = timer->data;
    if (follow->state == FOLLOW_WATCHING || follow->state == FOLLOW_JOINING)
        follow_watch_tick(follow);
    else if (follow->needs_load)
        follow_load(follow);
    else if (follow->failures > 1)
        follow_knock(follow);
    else
        follow_watch_join(follow);
}

static void follow_free(uv_handle_t *handle)
{
    struct follow *follow = handle->data;
    buffer_clear(&follow->newest_key.key);
    ledger_clear(&follow->ledger);
    free(follow);
}

static void follow_set_range(struct follow *follow, const char *prefix, size_t prefix_len)
{
    /* etcd refuses an empty key; "\0" is the first there can be. */
    follow->prefix.len = prefix_len ? prefix_len : 1;
    if (prefix_len)
        memcpy(follow->prefix.text, prefix, prefix_len);
    kv_prefix_end(prefix, prefix_len, &follow->end);
}

enum status follow_start(struct etcd *etcd, const char *prefix, size_t prefix_len,
                         const struct follow_events *events, void *arg, struct follow **out)
{
    if (prefix_len > KV_KEY_MAX)
        return STATUS_BAD_INPUT;
    struct follow *follow = calloc(1, sizeof(*follow));
    if (!follow)
        return STATUS_NO_MEMORY;
    enum status status = ledger_init(&follow->ledger);
    if (status != STATUS_OK) {
        free(follow);
        return status;
    }
    follow->etcd = etcd;
    follow->events = *events;
    follow->arg = arg;
    follow->needs_load = true;
    follow->proving.every_ms = FOLLOW_PROOF_MS;
    follow->proving.read_max = FOLLOW_READ_MAX;
    follow_set_range(follow, prefix, prefix_len);
    buffer_init(&follow->newest_key.key, FOLLOW_KEY_MAX);
    uv_timer_init(etcd->loop, &follow->timer);
    follow->timer.data = follow;
    follow_pause(follow, 0);
    *out = follow;
    return STATUS_OK;
}

void follow_set_proof(struct follow *follow, uint32_t every_ms, uint64_t read_max)
{
    follow->proving.every_ms = every_ms;
    follow->proving.read_max = read_max;
}

void follow_stop(struct follow *follow)
{
    if (!follow)
        return;
    follow->is_stopped = true;
    follow_halt(follow);
    uv_close((uv_handle_t *)&follow->timer, follow_free);
}

uint64_t follow_last_seen_ms(const struct follow *follow)
{
    uint64_t watch_ms = follow->watch ? watch_last_seen_ms(follow->watch) : 0;
    return watch_ms > follow->last_seen_ms ? watch_ms : follow->last_seen_ms;
}

void follow_count(const struct follow *follow, struct follow_counts *out)
{
    *out = follow->facts;
}

enum status follow_lost_status(const struct follow *follow)
{
    return follow->lost_status;
}
