#include "follow.h"

#include "follow_parts.h"

#include <stdlib.h>
#include <string.h>

#define MIRROR_SLICE           4096  /* keys of a load between two commits */
#define MIRROR_LOAD_TIMEOUT_MS 10000 /* without progress */
#define MIRROR_PAUSE_MS        250U
#define MIRROR_PAUSE_MAX_MS    1000 /* an answer is to be right soon after etcd is back */
#define MIRROR_RELOAD_MS       1000 /* between the beginnings of two loads */
#define MIRROR_LOST_MAX        3    /* in vain, before what cannot be followed is loaded */
#define MIRROR_KEY_MAX         (2U << 20)
#define MIRROR_PROOF_MS        30000
#define MIRROR_READ_MAX        20000

uint64_t mirror_now_ms(const struct mirror *mirror)
{
    return uv_now(mirror->etcd->loop);
}

/* Stop all requests. */
static void mirror_halt(struct mirror *mirror)
{
    if (mirror->load)
        range_cancel(mirror->load);
    mirror->load = NULL;
    mirror_follow_halt(mirror);
    uv_timer_stop(&mirror->timer);
}

static void mirror_pause(struct mirror *mirror, uint32_t pause_ms)
{
    mirror->state = MIRROR_PAUSED;
    uv_timer_start(&mirror->timer, mirror_on_timer, pause_ms, 0);
}

void mirror_set_live(struct mirror *mirror)
{
    mirror->reason_count = 0;
    if (mirror->contact == MIRROR_CONTACT_LIVE)
        return;
    mirror->contact = MIRROR_CONTACT_LIVE;
    mirror->events.contact(mirror->arg, true, &(struct detail){""});
}

/* Whether this outage has not had this reason yet: two that alternate are told once. */
static bool mirror_is_new_reason(struct mirror *mirror, const char *text)
{
    uint32_t hash = 2166136261U;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619U;
    for (unsigned i = 0; i < mirror->reason_count; i++)
        if (mirror->reasons[i] == hash)
            return false;
    if (mirror->reason_count == MIRROR_REASONS_MAX)
        return false;
    mirror->reasons[mirror->reason_count++] = hash;
    return true;
}

/* Told on a change, also of the reason; that access is denied now, or no longer, is always one. */
static void mirror_set_lost(struct mirror *mirror, enum status status, const struct detail *why)
{
    bool is_change = mirror->contact != MIRROR_CONTACT_LOST ||
                     (status == STATUS_DENIED) != (mirror->lost_status == STATUS_DENIED);
    if (mirror->contact != MIRROR_CONTACT_LOST)
        mirror->reason_count = 0;
    mirror->contact = MIRROR_CONTACT_LOST;
    mirror->lost_status = status;
    if (mirror_is_new_reason(mirror, why->text) || is_change)
        mirror->events.contact(mirror->arg, false, why);
}

void mirror_fail(struct mirror *mirror, enum status status, const struct detail *why)
{
    uint32_t pause_ms = 0;
    if (mirror->failures > 0) {
        unsigned doublings = mirror->failures < 4 ? mirror->failures - 1 : 3;
        pause_ms = MIRROR_PAUSE_MS << doublings;
        pause_ms = pause_ms < MIRROR_PAUSE_MAX_MS ? pause_ms : MIRROR_PAUSE_MAX_MS;
        pause_ms = pause_ms / 2 + member_random(pause_ms / 2 + 1);
    }
    mirror->failures++;
    mirror_halt(mirror);
    mirror_pause(mirror, pause_ms);
    mirror_set_lost(mirror, status, why);
}

void mirror_reload(struct mirror *mirror, const char *reason)
{
    log_printf(&mirror->etcd->log, LOG_LEVEL_INFO, "loading the tree again: %s", reason);
    mirror_halt(mirror);
    mirror->facts.reloads++;
    mirror->needs_load = true;
    bool is_soon = mirror_now_ms(mirror) - mirror->load_began_ms < MIRROR_RELOAD_MS;
    mirror_pause(mirror, is_soon ? MIRROR_RELOAD_MS : 0);
}

void mirror_load_again(struct mirror *mirror, const char *reason)
{
    mirror_reload(mirror, reason);
}

void mirror_witness_put(struct mirror *mirror, const struct kv *kv)
{
    struct audit_witness *witness = &mirror->witness;
    if (kv->mod_revision < witness->mod_revision)
        return;
    buffer_reset(&witness->key);
    buffer_add(&witness->key, kv->key, kv->key_len);
    if (witness->key.status != STATUS_OK)
        buffer_reset(&witness->key);
    witness->is_deleted = false;
    witness->mod_revision = kv->mod_revision;
    witness->create_revision = kv->create_revision;
    witness->version = kv->version;
    witness->hash = audit_hash(kv);
}

/* Not before there is something to tell: an etcd that is away is asked again and again. */
static void mirror_begin_load(struct mirror *mirror)
{
    if (mirror->has_begun)
        return;
    mirror->has_begun = true;
    mirror->witness.mod_revision = 0;
    buffer_reset(&mirror->witness.key);
    mirror->events.load_begin(mirror->arg);
}

static bool mirror_on_load_kv(void *arg, const struct kv *kv)
{
    struct mirror *mirror = arg;
    mirror_begin_load(mirror);
    if (mirror->is_stopped)
        return false;
    mirror->last_seen_ms = mirror_now_ms(mirror);
    mirror_witness_put(mirror, kv);
    mirror->events.put(mirror->arg, kv);
    if (!mirror->is_stopped && ++mirror->slice % MIRROR_SLICE == 0)
        mirror->events.commit(mirror->arg, 0);
    return !mirror->is_stopped;
}

/* What was read is right as of its revision: from there on it will be proven. */
static void mirror_take_load(struct mirror *mirror, const struct kv_range_result *result)
{
    mirror->needs_load = mirror->needs_audit = mirror->has_told = false;
    mirror->watches_lost = mirror->stalls = 0;
    mirror->revision = mirror->loaded = mirror->newest = result->revision;
    mirror->raft_term = result->raft_term;
    mirror->cluster_id = result->cluster_id;
    mirror->last_seen_ms = mirror_now_ms(mirror);
    ledger_reset(&mirror->ledger, result->revision);
    mirror->proving.failures = mirror->proving.doubts = 0;
    mirror->proving.counted = result->revision;
    mirror->proving.done_ms = mirror_now_ms(mirror);
    mirror->proving.due_ms = mirror->proving.done_ms + mirror->proving.every_ms;
}

static void mirror_on_load_done(void *arg, enum status status, const struct kv_range_result *result,
                                const struct detail *why)
{
    struct mirror *mirror = arg;
    mirror->load = NULL;
    if (status == STATUS_COMPACTED && mirror->failures == 0) {
        mirror->failures++;
        mirror_pause(mirror, 0);
        return;
    }
    if (status != STATUS_OK) {
        mirror_fail(mirror, status, why);
        return;
    }
    mirror_begin_load(mirror);
    if (mirror->is_stopped)
        return;
    mirror_take_load(mirror, result);
    mirror->events.load_end(mirror->arg, mirror->revision);
    if (!mirror->is_stopped)
        mirror->events.commit(mirror->arg, mirror->revision);
    if (!mirror->is_stopped)
        mirror_pause(mirror, 0);
}

static void mirror_load(struct mirror *mirror)
{
    struct kv_range range = {
        .key = mirror->prefix.text,
        .key_len = mirror->prefix.len,
        .end = mirror->end.text,
        .end_len = mirror->end.len,
        .timeout_ms = MIRROR_LOAD_TIMEOUT_MS,
    };
    mirror->state = MIRROR_LOADING;
    mirror->slice = 0;
    mirror->load_began_ms = mirror_now_ms(mirror);
    mirror->has_begun = false;
    mirror->load =
        range_start(mirror->etcd, &range, NULL, mirror_on_load_kv, mirror_on_load_done, mirror);
    if (!mirror->load)
        mirror_fail(mirror, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
}

static void mirror_on_knock(void *arg, enum status status, const struct kv_range_result *result,
                            const struct detail *why)
{
    struct mirror *mirror = arg;
    (void)result;
    mirror->probe = NULL;
    if (status != STATUS_OK) {
        struct detail text = *why;
        mirror_fail(mirror, status, &text);
        return;
    }
    /* Reads are answered, but nothing can be followed. */
    uint64_t age_ms = mirror_now_ms(mirror) - mirror->proving.done_ms;
    if (mirror->watches_lost >= MIRROR_LOST_MAX && age_ms >= mirror->proving.every_ms)
        mirror_load(mirror);
    else
        mirror_follow_join(mirror);
}

/* A watch has one member to be on; whether any is back, a read of all of them tells. */
static void mirror_knock(struct mirror *mirror)
{
    mirror->state = MIRROR_KNOCKING;
    mirror->probe = mirror_ask(mirror, NULL, mirror_on_knock);
    if (!mirror->probe)
        mirror_fail(mirror, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
}

void mirror_on_timer(uv_timer_t *timer)
{
    struct mirror *mirror = timer->data;
    if (mirror->state == MIRROR_WATCHING || mirror->state == MIRROR_JOINING)
        mirror_follow_tick(mirror);
    else if (mirror->needs_load)
        mirror_load(mirror);
    else if (mirror->failures > 1)
        mirror_knock(mirror);
    else
        mirror_follow_join(mirror);
}

static void mirror_free(uv_handle_t *handle)
{
    struct mirror *mirror = handle->data;
    buffer_clear(&mirror->witness.key);
    ledger_clear(&mirror->ledger);
    free(mirror);
}

static void mirror_set_range(struct mirror *mirror, const char *prefix, size_t prefix_len)
{
    /* etcd refuses an empty key; "\0" is the first there can be. */
    mirror->prefix.len = prefix_len ? prefix_len : 1;
    if (prefix_len)
        memcpy(mirror->prefix.text, prefix, prefix_len);
    kv_prefix_end(prefix, prefix_len, &mirror->end);
}

enum status mirror_start(struct etcd *etcd, const char *prefix, size_t prefix_len,
                         const struct mirror_events *events, void *arg, struct mirror **out)
{
    if (prefix_len > KV_KEY_MAX)
        return STATUS_BAD_INPUT;
    struct mirror *mirror = calloc(1, sizeof(*mirror));
    if (!mirror)
        return STATUS_NO_MEMORY;
    enum status status = ledger_init(&mirror->ledger);
    if (status != STATUS_OK) {
        free(mirror);
        return status;
    }
    mirror->etcd = etcd;
    mirror->events = *events;
    mirror->arg = arg;
    mirror->needs_load = true;
    mirror->proving.every_ms = MIRROR_PROOF_MS;
    mirror->proving.read_max = MIRROR_READ_MAX;
    mirror_set_range(mirror, prefix, prefix_len);
    buffer_init(&mirror->witness.key, MIRROR_KEY_MAX);
    uv_timer_init(etcd->loop, &mirror->timer);
    mirror->timer.data = mirror;
    mirror_pause(mirror, 0);
    *out = mirror;
    return STATUS_OK;
}

void mirror_set_proof(struct mirror *mirror, uint32_t every_ms, uint64_t read_max)
{
    mirror->proving.every_ms = every_ms;
    mirror->proving.read_max = read_max;
}

void mirror_stop(struct mirror *mirror)
{
    if (!mirror)
        return;
    mirror->is_stopped = true;
    mirror_halt(mirror);
    uv_close((uv_handle_t *)&mirror->timer, mirror_free);
}

uint64_t mirror_last_seen_ms(const struct mirror *mirror)
{
    uint64_t watch_ms = mirror->watch ? watch_last_seen_ms(mirror->watch) : 0;
    return watch_ms > mirror->last_seen_ms ? watch_ms : mirror->last_seen_ms;
}

void mirror_count(const struct mirror *mirror, struct mirror_facts *out)
{
    *out = mirror->facts;
}

enum status mirror_lost_status(const struct mirror *mirror)
{
    return mirror->lost_status;
}
