#include "mirror.h"

#include "audit.h"
#include "client.h"
#include "range.h"
#include "tree.h"
#include "watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MIRROR_SLICE           4096  /* keys of a load between two commits */
#define MIRROR_GAP_MAX         20000 /* revisions; a longer replay takes longer than a load */
#define MIRROR_LOAD_TIMEOUT_MS 10000 /* without progress */
#define MIRROR_PAUSE_MS        250U
#define MIRROR_PAUSE_MAX_MS    10000
#define MIRROR_PROBE_MS        1000
#define MIRROR_PROBES_MAX      3
#define MIRROR_AUDIT_MS        60000
#define MIRROR_AUDIT_AGAIN_MS  5000
#define MIRROR_STEADY_MS       5000 /* a watch that lives so long was no failure */
#define MIRROR_RELOAD_MS       1000 /* between the beginnings of two loads */
#define MIRROR_KEY_MAX         (2U << 20)

enum mirror_state {
    MIRROR_PAUSED, /* the timer leads to a load or a watch */
    MIRROR_LOADING,
    MIRROR_JOINING, /* the watch is being created */
    MIRROR_WATCHING /* the timer ticks each second */
};

enum mirror_contact { MIRROR_CONTACT_UNKNOWN, MIRROR_CONTACT_LIVE, MIRROR_CONTACT_LOST };

struct mirror {
    struct etcd *etcd;
    struct mirror_events events;
    void *arg;
    struct tree_key prefix, end;
    uv_timer_t timer;
    enum mirror_state state;
    enum mirror_contact contact;
    enum status lost_status;
    bool is_stopped;
    bool needs_load;
    bool has_begun;   /* the load has been told of */
    bool needs_audit; /* as soon as the watch stands */
    struct range *load, *probe;
    struct audit *audit;
    struct watch *watch;
    struct member *member; /* that is watched */
    int64_t revision;      /* up to which all has been told */
    uint64_t raft_term, cluster_id;
    struct audit_witness witness;
    uint32_t slice;         /* keys since the last commit of a load */
    unsigned failures;      /* in a row */
    unsigned probes_failed; /* in a row */
    uint64_t last_seen_ms, audit_at_ms, joined_ms, load_began_ms;
};

static void mirror_on_timer(uv_timer_t *timer);

static uint64_t mirror_now_ms(const struct mirror *mirror)
{
    return uv_now(mirror->etcd->loop);
}

/* Stop all requests. */
static void mirror_halt(struct mirror *mirror)
{
    if (mirror->load)
        range_cancel(mirror->load);
    if (mirror->probe)
        range_cancel(mirror->probe);
    if (mirror->audit)
        audit_cancel(mirror->audit);
    if (mirror->watch)
        watch_stop(mirror->watch);
    mirror->load = mirror->probe = NULL;
    mirror->audit = NULL;
    mirror->watch = NULL;
    mirror->probes_failed = 0;
    uv_timer_stop(&mirror->timer);
}

static void mirror_pause(struct mirror *mirror, uint32_t pause_ms)
{
    mirror->state = MIRROR_PAUSED;
    uv_timer_start(&mirror->timer, mirror_on_timer, pause_ms, 0);
}

static void mirror_set_live(struct mirror *mirror)
{
    if (mirror->contact == MIRROR_CONTACT_LIVE)
        return;
    mirror->contact = MIRROR_CONTACT_LIVE;
    mirror->events.contact(mirror->arg, true, &(struct detail){""});
}

/* Told on a change; that access is denied now, or no longer, is one, too. */
static void mirror_set_lost(struct mirror *mirror, enum status status, const struct detail *why)
{
    bool is_change = mirror->contact != MIRROR_CONTACT_LOST ||
                     (status == STATUS_DENIED) != (mirror->lost_status == STATUS_DENIED);
    mirror->contact = MIRROR_CONTACT_LOST;
    mirror->lost_status = status;
    if (is_change)
        mirror->events.contact(mirror->arg, false, why);
}

/* Something failed: begin again after a pause, at once the first time. */
static void mirror_fail(struct mirror *mirror, enum status status, const struct detail *why)
{
    uint32_t pause_ms = 0;
    if (mirror->failures > 0) {
        unsigned doublings = mirror->failures < 7 ? mirror->failures - 1 : 6;
        pause_ms = MIRROR_PAUSE_MS << doublings;
        pause_ms = pause_ms < MIRROR_PAUSE_MAX_MS ? pause_ms : MIRROR_PAUSE_MAX_MS;
        pause_ms = pause_ms / 2 + member_random(pause_ms / 2 + 1);
    }
    mirror->failures++;
    mirror_halt(mirror);
    mirror_pause(mirror, pause_ms);
    mirror_set_lost(mirror, status, why);
}

/* What is held can no longer be followed, or is doubtful: load again, and go on answering
 * meanwhile. */
static void mirror_reload(struct mirror *mirror, const char *reason)
{
    log_printf(&mirror->etcd->log, LOG_LEVEL_INFO, "loading the tree again: %s", reason);
    mirror_halt(mirror);
    mirror->needs_load = true;
    bool is_soon = mirror_now_ms(mirror) - mirror->load_began_ms < MIRROR_RELOAD_MS;
    mirror_pause(mirror, is_soon ? MIRROR_RELOAD_MS : 0);
}

/* The newest key that was told stands witness for the store's history. */
static void mirror_witness(struct mirror *mirror, const struct kv *kv)
{
    struct audit_witness *witness = &mirror->witness;
    if (kv->mod_revision < witness->mod_revision)
        return;
    buffer_reset(&witness->key);
    buffer_add(&witness->key, kv->key, kv->key_len);
    if (witness->key.status != STATUS_OK)
        buffer_reset(&witness->key);
    witness->mod_revision = kv->mod_revision;
    witness->create_revision = kv->create_revision;
    witness->version = kv->version;
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
    mirror_witness(mirror, kv);
    mirror->events.put(mirror->arg, kv);
    if (!mirror->is_stopped && ++mirror->slice % MIRROR_SLICE == 0)
        mirror->events.commit(mirror->arg, 0);
    return !mirror->is_stopped;
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
    mirror->needs_load = mirror->needs_audit = false;
    mirror->revision = result->revision;
    mirror->raft_term = result->raft_term;
    mirror->cluster_id = result->cluster_id;
    mirror->last_seen_ms = mirror_now_ms(mirror);
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

/* The member that is watched is no good: others go first for a while. */
static void mirror_leave(struct mirror *mirror, enum status status, const struct detail *why)
{
    member_fail(mirror->member, mirror_now_ms(mirror), status, why->text);
    mirror->needs_audit = true;
    mirror_fail(mirror, status, why);
}

static bool mirror_on_probe_kv(void *arg, const struct kv *kv)
{
    (void)arg, (void)kv;
    return true;
}

static void mirror_on_probe_done(void *arg, enum status status,
                                 const struct kv_range_result *result, const struct detail *why)
{
    struct mirror *mirror = arg;
    (void)result;
    mirror->probe = NULL;
    /* A role that was withdrawn does not end a running watch. */
    if (status == STATUS_OK || status == STATUS_DENIED) {
        mirror->probes_failed = 0;
        mirror->last_seen_ms = mirror_now_ms(mirror);
    } else if (++mirror->probes_failed >= MIRROR_PROBES_MAX) {
        struct detail text = *why;
        mirror_leave(mirror, status, &text);
    }
}

/* A linearizable read: the member lives, and has a leader. */
static void mirror_probe(struct mirror *mirror)
{
    uint64_t seen_ms = watch_last_seen_ms(mirror->watch);
    if (mirror->probe || mirror_now_ms(mirror) - seen_ms < MIRROR_PROBE_MS)
        return;
    struct kv_range range = {.key = mirror->prefix.text,
                             .key_len = mirror->prefix.len,
                             .keys_only = true,
                             .timeout_ms = MIRROR_PROBE_MS};
    mirror->probe = range_start(mirror->etcd, &range, mirror->member, mirror_on_probe_kv,
                                mirror_on_probe_done, mirror);
}

static void mirror_on_audit_done(void *arg, enum audit_verdict verdict, const struct detail *why)
{
    struct mirror *mirror = arg;
    mirror->audit = NULL;
    if (verdict == AUDIT_DIFFERENT) {
        mirror_reload(mirror, why->text);
        return;
    }
    bool is_unknown = verdict == AUDIT_UNKNOWN;
    mirror->needs_audit = mirror->needs_audit && is_unknown;
    mirror->audit_at_ms =
        mirror_now_ms(mirror) + (is_unknown ? MIRROR_AUDIT_AGAIN_MS : MIRROR_AUDIT_MS);
}

static void mirror_audit(struct mirror *mirror)
{
    if (mirror->audit || watch_is_amid(mirror->watch))
        return;
    struct audit_belief belief = {
        .prefix = mirror->prefix.text,
        .prefix_len = mirror->prefix.len,
        .end = mirror->end.text,
        .end_len = mirror->end.len,
        .revision = mirror->revision,
        .raft_term = mirror->raft_term,
        .cluster_id = mirror->cluster_id,
        .witness = &mirror->witness,
        .has_count = mirror->events.count,
    };
    if (belief.has_count)
        belief.count = mirror->events.count(mirror->arg);
    mirror->audit =
        audit_start(mirror->etcd, mirror->member, &belief, mirror_on_audit_done, mirror);
}

static void mirror_tick(struct mirror *mirror)
{
    if (mirror_now_ms(mirror) - mirror->joined_ms >= MIRROR_STEADY_MS)
        mirror->failures = 0;
    mirror_probe(mirror);
    if (mirror->needs_audit || mirror_now_ms(mirror) >= mirror->audit_at_ms)
        mirror_audit(mirror);
}

static void mirror_on_created(void *arg, const struct reply_header *header)
{
    struct mirror *mirror = arg;
    if (header->cluster_id != mirror->cluster_id) {
        mirror_reload(mirror, "another cluster answers");
        return;
    }
    if (header->revision - mirror->revision > MIRROR_GAP_MAX) {
        mirror_reload(mirror, "too much has changed to follow");
        return;
    }
    /* A follower may lag, so its header alone proves nothing: the audit reads through the leader.
     */
    if (header->revision < mirror->revision || header->raft_term < mirror->raft_term)
        mirror->needs_audit = true;
    else
        mirror->raft_term = header->raft_term;
    mirror->state = MIRROR_WATCHING;
    mirror->joined_ms = mirror_now_ms(mirror);
    mirror->audit_at_ms = mirror->joined_ms + MIRROR_AUDIT_MS;
    uv_timer_start(&mirror->timer, mirror_on_timer, MIRROR_PROBE_MS, MIRROR_PROBE_MS);
    if (mirror->needs_audit)
        mirror_audit(mirror);
    mirror_set_live(mirror);
}

static void mirror_on_put(void *arg, const struct kv *kv)
{
    struct mirror *mirror = arg;
    mirror_witness(mirror, kv);
    mirror->events.put(mirror->arg, kv);
}

static void mirror_on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    struct mirror *mirror = arg;
    struct buffer *witness = &mirror->witness.key;
    if (witness->len == key_len && memcmp(witness->data, key, key_len) == 0)
        buffer_reset(witness);
    mirror->events.remove(mirror->arg, key, key_len, revision);
}

static void mirror_on_whole(void *arg, int64_t revision)
{
    struct mirror *mirror = arg;
    mirror->revision = revision;
    mirror->events.commit(mirror->arg, revision);
}

static void mirror_on_lost(void *arg, enum status status, const struct detail *why)
{
    struct mirror *mirror = arg;
    mirror->watch = NULL;
    if (status == STATUS_COMPACTED)
        mirror_reload(mirror, why->text);
    else
        mirror_leave(mirror, status, why);
}

/* The member that answered last, unless it has just failed. */
static void mirror_join(struct mirror *mirror)
{
    static const struct watch_events events = {mirror_on_created, mirror_on_put, mirror_on_remove,
                                               mirror_on_whole, mirror_on_lost};
    mirror->state = MIRROR_JOINING;
    mirror->member = member_find(&mirror->etcd->members, 0, mirror_now_ms(mirror));
    mirror->watch =
        watch_start(mirror->etcd, mirror->member, mirror->prefix.text, mirror->prefix.len,
                    mirror->end.text, mirror->end.len, mirror->revision + 1, &events, mirror);
    if (!mirror->watch)
        mirror_fail(mirror, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
}

static void mirror_on_timer(uv_timer_t *timer)
{
    struct mirror *mirror = timer->data;
    if (mirror->state == MIRROR_WATCHING)
        mirror_tick(mirror);
    else if (mirror->needs_load)
        mirror_load(mirror);
    else
        mirror_join(mirror);
}

static void mirror_free(uv_handle_t *handle)
{
    struct mirror *mirror = handle->data;
    buffer_clear(&mirror->witness.key);
    free(mirror);
}

enum status mirror_start(struct etcd *etcd, const char *prefix, size_t prefix_len,
                         const struct mirror_events *events, void *arg, struct mirror **out)
{
    if (prefix_len > TREE_KEY_MAX)
        return STATUS_BAD_INPUT;
    struct mirror *mirror = calloc(1, sizeof(*mirror));
    if (!mirror)
        return STATUS_NO_MEMORY;
    mirror->etcd = etcd;
    mirror->events = *events;
    mirror->arg = arg;
    mirror->needs_load = true;
    /* etcd refuses an empty key; "\0" is the first there can be. */
    mirror->prefix.len = prefix_len ? prefix_len : 1;
    if (prefix_len)
        memcpy(mirror->prefix.text, prefix, prefix_len);
    tree_prefix_end(prefix, prefix_len, &mirror->end);
    buffer_init(&mirror->witness.key, MIRROR_KEY_MAX);
    uv_timer_init(etcd->loop, &mirror->timer);
    mirror->timer.data = mirror;
    mirror_pause(mirror, 0);
    *out = mirror;
    return STATUS_OK;
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
