#include "follow_parts.h"

#include <inttypes.h>
#include <string.h>

#define MIRROR_GAP_MAX    20000 /* revisions; a longer replay takes longer than a load */
#define MIRROR_TICK_MS    500
#define MIRROR_PROBE_MS   1000  /* a watch silent for so long has its member probed */
#define MIRROR_ANSWER_MS  2000  /* for the probe's answer */
#define MIRROR_PROBES_MAX 3     /* that are answered with a failure */
#define MIRROR_STEADY_MS  5000  /* a watch that lives so long was no failure */
#define MIRROR_AMID_MS    5000  /* that a line may pause */
#define MIRROR_JOIN_MS    10000 /* for a watch to be created */
#define MIRROR_STALLS_MAX 2     /* at the same place */
#define MIRROR_OUTAGE_MS  1000  /* a shorter silence leaves hardly time to restore a store */

void mirror_follow_halt(struct mirror *mirror)
{
    struct mirror_proving *proving = &mirror->proving;
    if (mirror->probe)
        range_cancel(mirror->probe);
    if (mirror->audit)
        audit_cancel(mirror->audit);
    if (proving->proof)
        proof_cancel(proving->proof);
    if (mirror->watch)
        watch_stop(mirror->watch);
    mirror->probe = NULL;
    mirror->audit = NULL;
    proving->proof = NULL;
    mirror->watch = NULL;
    mirror->probes_failed = 0;
}

void mirror_follow_leave(struct mirror *mirror, enum status status, const struct detail *why)
{
    member_fail(mirror->member, mirror_now_ms(mirror), status, why->text);
    mirror->needs_audit = true;
    mirror_fail(mirror, status, why);
}

static bool mirror_on_nothing(void *arg, const struct kv *kv)
{
    (void)arg, (void)kv;
    return true;
}

struct range *mirror_ask(struct mirror *mirror, struct member *member, kv_range_done *done)
{
    struct kv_range range = {.key = mirror->prefix.text,
                             .key_len = mirror->prefix.len,
                             .keys_only = true,
                             .timeout_ms = member ? MIRROR_ANSWER_MS : 0};
    return range_start(mirror->etcd, &range, member, mirror_on_nothing, done, mirror);
}

static void mirror_on_probe_done(void *arg, enum status status,
                                 const struct kv_range_result *result, const struct detail *why)
{
    struct mirror *mirror = arg;
    mirror->probe = NULL;
    if (status == STATUS_OK && result->revision > mirror->newest)
        mirror->newest = result->revision;
    /* A role that was withdrawn does not end a running watch. */
    if (status == STATUS_OK || status == STATUS_DENIED) {
        mirror->probes_failed = 0;
        mirror->last_seen_ms = mirror_now_ms(mirror);
    } else if (status == STATUS_TIMED_OUT || ++mirror->probes_failed >= MIRROR_PROBES_MAX) {
        struct detail text = *why;
        mirror_follow_leave(mirror, status, &text);
    }
}

/* The member lives, and has a leader. */
static void mirror_probe(struct mirror *mirror)
{
    uint64_t now_ms = mirror_now_ms(mirror), seen_ms = watch_last_seen_ms(mirror->watch);
    if (mirror->probe || now_ms - seen_ms < MIRROR_PROBE_MS ||
        now_ms - mirror->last_seen_ms < MIRROR_PROBE_MS)
        return;
    mirror->probe = mirror_ask(mirror, mirror->member, mirror_on_probe_done);
}

void mirror_follow_commit(struct mirror *mirror, const struct watch *except)
{
    const struct watch *watch = mirror->watch;
    if (!mirror->has_told || (watch && watch != except && watch_is_amid(watch)))
        return;
    mirror->has_told = false;
    mirror->events.commit(mirror->arg, mirror->revision);
}

static bool mirror_take(struct mirror *mirror, const char *key, size_t key_len, int64_t revision,
                        enum ledger_source source)
{
    if (!ledger_take(&mirror->ledger, key, key_len, revision, source))
        return false;
    /* Later than its proof: the watch that was believed there had not told all yet. */
    mirror->facts.repairs += revision <= mirror->ledger.proven;
    mirror->has_told = true;
    return true;
}

void mirror_follow_put(struct mirror *mirror, const struct kv *kv, enum ledger_source source)
{
    if (!mirror_take(mirror, kv->key, kv->key_len, kv->mod_revision, source))
        return;
    mirror_witness_put(mirror, kv);
    mirror->events.put(mirror->arg, kv);
}

void mirror_follow_remove(struct mirror *mirror, const char *key, size_t key_len, int64_t revision,
                          enum ledger_source source)
{
    struct audit_witness *witness = &mirror->witness;
    if (!mirror_take(mirror, key, key_len, revision, source))
        return;
    if (revision >= witness->mod_revision) {
        buffer_reset(&witness->key);
        buffer_add(&witness->key, key, key_len);
        if (witness->key.status != STATUS_OK)
            buffer_reset(&witness->key);
        witness->is_deleted = true;
        witness->mod_revision = revision;
    }
    mirror->events.remove(mirror->arg, key, key_len, revision);
}

void mirror_follow_reach(struct mirror *mirror, int64_t revision)
{
    if (revision > mirror->revision)
        mirror->revision = revision;
    if (revision > mirror->newest)
        mirror->newest = revision;
}

static void mirror_on_audit_done(void *arg, enum audit_verdict verdict, const struct detail *why)
{
    struct mirror *mirror = arg;
    mirror->audit = NULL;
    mirror->needs_audit = verdict == AUDIT_UNKNOWN;
    if (verdict == AUDIT_DIFFERENT)
        mirror_reload(mirror, why->text);
}

/* Whether the newest event that was told can bear witness: a load does not tell what was deleted
 * last. */
static bool mirror_has_witness(const struct mirror *mirror)
{
    return mirror->witness.key.len > 0 && mirror->witness.mod_revision >= mirror->loaded;
}

static void mirror_audit(struct mirror *mirror)
{
    struct audit_belief belief = {
        .prefix = mirror->prefix.text,
        .prefix_len = mirror->prefix.len,
        .revision = mirror->revision,
        .raft_term = mirror->raft_term,
        .cluster_id = mirror->cluster_id,
        .witness = &mirror->witness,
    };
    mirror->audit =
        audit_start(mirror->etcd, mirror->member, &belief, mirror_on_audit_done, mirror);
}

bool mirror_follow_is_small(const struct mirror *mirror)
{
    return mirror->events.count && mirror->events.count(mirror->arg) <= mirror->proving.read_max;
}

/* The watch goes on no further here. What cannot be followed is loaded. */
static void mirror_stall(struct mirror *mirror, enum status status, const struct detail *why)
{
    if (mirror->stalled_at != mirror->revision)
        mirror->stalls = 0;
    mirror->stalled_at = mirror->revision;
    if (++mirror->stalls >= MIRROR_STALLS_MAX)
        mirror_reload(mirror, why->text);
    else
        mirror_follow_leave(mirror, status, why);
}

void mirror_follow_tick(struct mirror *mirror)
{
    struct mirror_proving *proving = &mirror->proving;
    uint64_t now_ms = mirror_now_ms(mirror);
    if (mirror->state == MIRROR_JOINING) {
        mirror->watches_lost++;
        mirror_follow_leave(mirror, STATUS_TIMED_OUT, &(struct detail){"watch: no answer in time"});
        return;
    }
    if (now_ms - mirror->joined_ms >= MIRROR_STEADY_MS)
        mirror->failures = mirror->watches_lost = 0;
    if (watch_is_amid(mirror->watch) &&
        now_ms - watch_last_seen_ms(mirror->watch) >= MIRROR_AMID_MS) {
        mirror_stall(mirror, STATUS_TIMED_OUT,
                     &(struct detail){"the watch has stopped amid an event"});
        return;
    }
    mirror_follow_commit(mirror, NULL);
    if (mirror->is_stopped)
        return;
    mirror_probe(mirror);
    if (mirror->needs_audit && !mirror->audit && !mirror->probe)
        mirror_audit(mirror);
    if (proving->proof)
        proof_tick(proving->proof);
    else if (!mirror->needs_audit && mirror_prove_is_due(mirror))
        mirror_prove(mirror);
}

/* What the member's first words say about its store. False: it must be loaded again. */
static bool mirror_accept(struct mirror *mirror, const struct reply_header *header)
{
    bool is_outage = mirror_follow_is_small(mirror) ||
                     mirror_now_ms(mirror) - mirror->last_seen_ms >= MIRROR_OUTAGE_MS;
    const char *reason = NULL;
    if (header->cluster_id != mirror->cluster_id)
        reason = "another cluster answers";
    else if (header->revision - mirror->revision > MIRROR_GAP_MAX)
        reason = "too much has changed to follow";
    else if (mirror->needs_audit && !mirror_has_witness(mirror) && is_outage)
        reason = "nothing shows that the store is still the same";
    if (reason)
        mirror_reload(mirror, reason);
    return !reason;
}

static void mirror_on_created(void *arg, const struct reply_header *header)
{
    struct mirror *mirror = arg;
    if (mirror->state == MIRROR_WATCHING || !mirror_accept(mirror, header))
        return;
    /* A follower may lag, so its header alone proves nothing: the audit reads through the leader.
     */
    if (header->revision < mirror->revision || header->raft_term < mirror->raft_term)
        mirror->needs_audit = true;
    else
        mirror->raft_term = header->raft_term;
    mirror->state = MIRROR_WATCHING;
    mirror->joined_ms = mirror->last_seen_ms = mirror_now_ms(mirror);
    uv_timer_start(&mirror->timer, mirror_on_timer, MIRROR_TICK_MS, MIRROR_TICK_MS);
    if (mirror->needs_audit)
        mirror_audit(mirror);
    mirror_set_live(mirror);
}

static void mirror_on_put(void *arg, const struct kv *kv)
{
    mirror_follow_put(arg, kv, LEDGER_FOLLOWED);
}

static void mirror_on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    mirror_follow_remove(arg, key, key_len, revision, LEDGER_FOLLOWED);
}

static void mirror_on_whole(void *arg, int64_t revision)
{
    struct mirror *mirror = arg;
    mirror->last_seen_ms = mirror_now_ms(mirror);
    mirror_follow_reach(mirror, revision);
    mirror_follow_commit(mirror, mirror->watch);
}

static void mirror_on_lost(void *arg, enum status status, const struct detail *why)
{
    struct mirror *mirror = arg;
    mirror->watch = NULL;
    mirror->watches_lost++;
    if (status == STATUS_COMPACTED)
        mirror_reload(mirror, why->text);
    else if (status == STATUS_BAD_REPLY || status == STATUS_TOO_LARGE)
        mirror_stall(mirror, status, why);
    else
        mirror_follow_leave(mirror, status, why);
}

static const struct watch_events mirror_watch_events = {
    mirror_on_created, mirror_on_put, mirror_on_remove, mirror_on_whole, mirror_on_lost};

void mirror_follow_switch(struct mirror *mirror, struct watch *watch, struct member *member)
{
    watch_stop(mirror->watch);
    mirror->watch = watch;
    watch_hand_over(watch, &mirror_watch_events, mirror);
    if (mirror->probe)
        range_cancel(mirror->probe);
    mirror->probe = NULL;
    mirror->probes_failed = 0;
    mirror->member = member;
}

void mirror_follow_join(struct mirror *mirror)
{
    mirror->state = MIRROR_JOINING;
    uv_timer_start(&mirror->timer, mirror_on_timer, MIRROR_JOIN_MS, 0);
    mirror->member = member_find(&mirror->etcd->members, 0, mirror_now_ms(mirror));
    mirror->watch = watch_start(mirror->etcd, mirror->member, mirror->prefix.text,
                                mirror->prefix.len, mirror->end.text, mirror->end.len,
                                mirror->revision + 1, &mirror_watch_events, mirror);
    if (!mirror->watch)
        mirror_fail(mirror, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
}
