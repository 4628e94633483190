#include "follow_parts.h"

#include <inttypes.h>
#include <string.h>

#define FOLLOW_GAP_MAX    20000 /* revisions; a longer replay takes longer than a load */
#define FOLLOW_TICK_MS    500
#define FOLLOW_PROBE_MS   1000  /* a watch silent for so long has its member probed */
#define FOLLOW_ANSWER_MS  2000  /* for the probe's answer */
#define FOLLOW_PROBES_MAX 3     /* that are answered with a failure */
#define FOLLOW_STEADY_MS  5000  /* a watch that lives so long was no failure */
#define FOLLOW_AMID_MS    5000  /* that a line may pause */
#define FOLLOW_JOIN_MS    10000 /* for a watch to be created */
#define FOLLOW_STALLS_MAX 2     /* at the same place */
#define FOLLOW_OUTAGE_MS  1000  /* a shorter silence leaves hardly time to restore a store */

void follow_watch_halt(struct follow *follow)
{
    struct follow_proving *proving = &follow->proving;
    if (follow->probe)
        range_cancel(follow->probe);
    if (follow->check)
        follow_check_cancel(follow->check);
    if (proving->proof)
        proof_cancel(proving->proof);
    if (follow->watch)
        watch_stop(follow->watch);
    follow->probe = NULL;
    follow->check = NULL;
    proving->proof = NULL;
    follow->watch = NULL;
    follow->probes_failed = 0;
}

void follow_watch_abandon_member(struct follow *follow, enum status status,
                                 const struct detail *why)
{
    member_fail(follow->member, follow_now_ms(follow), status, why->text);
    follow->needs_check = true;
    follow_fail(follow, status, why);
}

static bool follow_watch_on_nothing(void *arg, const struct kv *kv)
{
    (void)arg, (void)kv;
    return true;
}

struct range *follow_ask(struct follow *follow, struct member *member, kv_range_done *done)
{
    struct kv_range range = {.key = follow->prefix.text,
                             .key_len = follow->prefix.len,
                             .keys_only = true,
                             .timeout_ms = member ? FOLLOW_ANSWER_MS : 0};
    return range_start(follow->etcd, &range, member, follow_watch_on_nothing, done, follow);
}

static void follow_watch_on_probe_done(void *arg, enum status status,
                                       const struct kv_range_result *result,
                                       const struct detail *why)
{
    struct follow *follow = arg;
    follow->probe = NULL;
    if (status == STATUS_OK && result->revision > follow->newest)
        follow->newest = result->revision;
    /* A role that was withdrawn does not end a running watch. */
    if (status == STATUS_OK || status == STATUS_DENIED) {
        follow->probes_failed = 0;
        follow->last_seen_ms = follow_now_ms(follow);
    } else if (status == STATUS_TIMED_OUT || ++follow->probes_failed >= FOLLOW_PROBES_MAX) {
        struct detail text = *why;
        follow_watch_abandon_member(follow, status, &text);
    }
}

/* The member lives, and has a leader. */
static void follow_watch_probe(struct follow *follow)
{
    uint64_t now_ms = follow_now_ms(follow), seen_ms = watch_last_seen_ms(follow->watch);
    if (follow->probe || now_ms - seen_ms < FOLLOW_PROBE_MS ||
        now_ms - follow->last_seen_ms < FOLLOW_PROBE_MS)
        return;
    follow->probe = follow_ask(follow, follow->member, follow_watch_on_probe_done);
}

void follow_watch_commit(struct follow *follow, const struct watch *except)
{
    const struct watch *watch = follow->watch;
    if (!follow->has_told || (watch && watch != except && watch_in_batch(watch)))
        return;
    follow->has_told = false;
    follow->events.commit(follow->arg, follow->revision);
}

static bool follow_watch_take(struct follow *follow, const char *key, size_t key_len,
                              int64_t revision, enum ledger_source source)
{
    if (!ledger_take(&follow->ledger, key, key_len, revision, source))
        return false;
    /* Later than its proof: the watch that was believed there had not told all yet. */
    follow->facts.repairs += revision <= follow->ledger.proven;
    follow->has_told = true;
    return true;
}

void follow_watch_put(struct follow *follow, const struct kv *kv, enum ledger_source source)
{
    if (!follow_watch_take(follow, kv->key, kv->key_len, kv->mod_revision, source))
        return;
    follow_witness_put(follow, kv);
    follow->events.put(follow->arg, kv);
}

void follow_watch_remove(struct follow *follow, const char *key, size_t key_len, int64_t revision,
                         enum ledger_source source)
{
    struct follow_check_newest_key *newest_key = &follow->newest_key;
    if (!follow_watch_take(follow, key, key_len, revision, source))
        return;
    if (revision >= newest_key->mod_revision) {
        buffer_reset(&newest_key->key);
        buffer_add(&newest_key->key, key, key_len);
        if (newest_key->key.status != STATUS_OK)
            buffer_reset(&newest_key->key);
        newest_key->is_deleted = true;
        newest_key->mod_revision = revision;
    }
    follow->events.remove(follow->arg, key, key_len, revision);
}

void follow_watch_reach(struct follow *follow, int64_t revision)
{
    if (revision > follow->revision)
        follow->revision = revision;
    if (revision > follow->newest)
        follow->newest = revision;
}

static void follow_watch_on_audit_done(void *arg, enum follow_check_result result,
                                       const struct detail *why)
{
    struct follow *follow = arg;
    follow->check = NULL;
    follow->needs_check = result == FOLLOW_CHECK_UNKNOWN;
    if (result == FOLLOW_CHECK_DIFFERENT)
        follow_reload(follow, why->text);
}

/* Whether the newest event that was told can bear witness: a load does not tell what was deleted
 * last. */
static bool follow_watch_has_witness(const struct follow *follow)
{
    return follow->newest_key.key.len > 0 && follow->newest_key.mod_revision >= follow->loaded;
}

static void follow_watch_audit(struct follow *follow)
{
    struct follow_check_expected expected = {
        .prefix = follow->prefix.text,
        .prefix_len = follow->prefix.len,
        .revision = follow->revision,
        .raft_term = follow->raft_term,
        .cluster_id = follow->cluster_id,
        .newest_key = &follow->newest_key,
    };
    follow->check = follow_check_start(follow->etcd, follow->member, &expected,
                                       follow_watch_on_audit_done, follow);
}

bool follow_watch_is_small(const struct follow *follow)
{
    return follow->events.count && follow->events.count(follow->arg) <= follow->proving.read_max;
}

/* The watch goes on no further here. What cannot be followed is loaded. */
static void follow_watch_stall(struct follow *follow, enum status status, const struct detail *why)
{
    if (follow->stalled_at != follow->revision)
        follow->stalls = 0;
    follow->stalled_at = follow->revision;
    if (++follow->stalls >= FOLLOW_STALLS_MAX)
        follow_reload(follow, why->text);
    else
        follow_watch_abandon_member(follow, status, why);
}

void follow_watch_tick(struct follow *follow)
{
    struct follow_proving *proving = &follow->proving;
    uint64_t now_ms = follow_now_ms(follow);
    if (follow->state == FOLLOW_JOINING) {
        follow->watches_lost++;
        follow_watch_abandon_member(follow, STATUS_TIMED_OUT,
                                    &(struct detail){"watch: no answer in time"});
        return;
    }
    if (now_ms - follow->joined_ms >= FOLLOW_STEADY_MS)
        follow->failures = follow->watches_lost = 0;
    if (watch_in_batch(follow->watch) &&
        now_ms - watch_last_seen_ms(follow->watch) >= FOLLOW_AMID_MS) {
        follow_watch_stall(follow, STATUS_TIMED_OUT,
                           &(struct detail){"the watch has stopped amid an event"});
        return;
    }
    follow_watch_commit(follow, NULL);
    if (follow->is_stopped)
        return;
    follow_watch_probe(follow);
    if (follow->needs_check && !follow->check && !follow->probe)
        follow_watch_audit(follow);
    if (proving->proof)
        proof_tick(proving->proof);
    else if (!follow->needs_check && follow_prove_is_due(follow))
        follow_prove(follow);
}

/* What the member's first words say about its store. False: it must be loaded again. */
static bool follow_watch_accept(struct follow *follow, const struct gateway_reply_header *header)
{
    bool is_outage = follow_watch_is_small(follow) ||
                     follow_now_ms(follow) - follow->last_seen_ms >= FOLLOW_OUTAGE_MS;
    const char *reason = NULL;
    if (header->cluster_id != follow->cluster_id)
        reason = "another cluster answers";
    else if (header->revision - follow->revision > FOLLOW_GAP_MAX)
        reason = "too much has changed to follow";
    else if (follow->needs_check && !follow_watch_has_witness(follow) && is_outage)
        reason = "nothing shows that the store is still the same";
    if (reason)
        follow_reload(follow, reason);
    return !reason;
}

static void follow_watch_on_created(void *arg, const struct gateway_reply_header *header)
{
    struct follow *follow = arg;
    if (follow->state == FOLLOW_WATCHING || !follow_watch_accept(follow, header))
        return;
    /* A follower may lag, so its header alone proves nothing: the audit reads through the leader.
     */
    if (header->revision < follow->revision || header->raft_term < follow->raft_term)
        follow->needs_check = true;
    else
        follow->raft_term = header->raft_term;
    follow->state = FOLLOW_WATCHING;
    follow->joined_ms = follow->last_seen_ms = follow_now_ms(follow);
    uv_timer_start(&follow->timer, follow_on_timer, FOLLOW_TICK_MS, FOLLOW_TICK_MS);
    if (follow->needs_check)
        follow_watch_audit(follow);
    follow_set_live(follow);
}

static void follow_watch_on_put(void *arg, const struct kv *kv)
{
    follow_watch_put(arg, kv, LEDGER_FOLLOWED);
}

static void follow_watch_on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    follow_watch_remove(arg, key, key_len, revision, LEDGER_FOLLOWED);
}

static void follow_watch_on_whole(void *arg, int64_t revision)
{
    struct follow *follow = arg;
    follow->last_seen_ms = follow_now_ms(follow);
    follow_watch_reach(follow, revision);
    follow_watch_commit(follow, follow->watch);
}

static void follow_watch_on_lost(void *arg, enum status status, const struct detail *why)
{
    struct follow *follow = arg;
    follow->watch = NULL;
    follow->watches_lost++;
    if (status == STATUS_COMPACTED)
        follow_reload(follow, why->text);
    else if (status == STATUS_BAD_REPLY || status == STATUS_TOO_LARGE)
        follow_watch_stall(follow, status, why);
    else
        follow_watch_abandon_member(follow, status, why);
}

static const struct watch_events mirror_watch_events = {
    follow_watch_on_created, follow_watch_on_put, follow_watch_on_remove, follow_watch_on_whole,
    follow_watch_on_lost};

void follow_watch_switch(struct follow *follow, struct watch *watch, struct member *member)
{
    watch_stop(follow->watch);
    follow->watch = watch;
    watch_hand_over(watch, &mirror_watch_events, follow);
    if (follow->probe)
        range_cancel(follow->probe);
    follow->probe = NULL;
    follow->probes_failed = 0;
    follow->member = member;
}

void follow_watch_join(struct follow *follow)
{
    follow->state = FOLLOW_JOINING;
    uv_timer_start(&follow->timer, follow_on_timer, FOLLOW_JOIN_MS, 0);
    follow->member = member_find(&follow->etcd->members, 0, follow_now_ms(follow));
    follow->watch = watch_start(follow->etcd, follow->member, follow->prefix.text,
                                follow->prefix.len, follow->end.text, follow->end.len,
                                follow->revision + 1, &mirror_watch_events, follow);
    if (!follow->watch)
        follow_fail(follow, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
}
