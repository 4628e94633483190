#include "follow_parts.h"

#include <inttypes.h>

#define MIRROR_AGAIN_MS    2000 /* after a proof or an audit that could not be finished */
#define MIRROR_DENIED_MS   30000
#define MIRROR_BARE_AFTER  2 /* failures of the second watch: reads must do */
#define MIRROR_DOUBTS_MAX  2
#define MIRROR_MANY        (LEDGER_KEYS_MAX / 2) /* changed keys: prove earlier */
#define MIRROR_EARLY_MS    5000                  /* but not more often */
#define MIRROR_COUNT_SHARE 200 /* counting may take so small a part of etcd's time */

static void mirror_on_proof_put(void *arg, const struct kv *kv)
{
    mirror_follow_put(arg, kv, LEDGER_REPLAYED);
}

static void mirror_on_proof_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    mirror_follow_remove(arg, key, key_len, revision, LEDGER_REPLAYED);
}

static void mirror_on_proof_whole(void *arg, int64_t revision)
{
    mirror_follow_reach(arg, revision);
    mirror_follow_commit(arg, NULL);
}

static void mirror_on_proof_read(void *arg, const struct kv *kv)
{
    mirror_follow_put(arg, kv, LEDGER_READ);
}

static bool mirror_on_proof_count(void *arg, uint64_t *count, int64_t *revision)
{
    struct mirror *mirror = arg;
    struct proof *proof = mirror->proving.proof;
    if (watch_is_amid(mirror->watch) || (proof && proof_is_amid(proof)))
        return false;
    mirror_follow_commit(mirror, NULL);
    if (mirror->is_stopped)
        return false;
    *count = mirror->events.count(mirror->arg);
    *revision = mirror->revision;
    return true;
}

/* All up to the revision has been told, late or not. */
static void mirror_believe(struct mirror *mirror, const struct proof_result *result, uint64_t lost)
{
    struct mirror_proving *proving = &mirror->proving;
    uint64_t now_ms = mirror_now_ms(mirror);
    ledger_prove(&mirror->ledger, result->revision, result->watch);
    proving->failures = proving->doubts = 0;
    proving->done_ms = now_ms;
    proving->due_ms = now_ms + proving->every_ms;
    if (result->has_counted) {
        proving->counted = result->revision;
        proving->count_due_ms = now_ms + (uint64_t)result->count_ms * MIRROR_COUNT_SHARE;
    }
    if (result->raft_term > mirror->raft_term)
        mirror->raft_term = result->raft_term;
    mirror->facts.proofs++;
    mirror->facts.repairs += lost;
    if (lost)
        log_printf(&mirror->etcd->log, LOG_LEVEL_WARNING,
                   "the watch of etcd had lost %" PRIu64 " event%s; mended", lost,
                   lost == 1 ? "" : "s");
}

/* The second watch has told less than the first: it is no proof, or the store is another one. If
 * only what came last is missing, it may be behind: etcd under load takes seconds to replay. */
static void mirror_distrust(struct mirror *mirror, const struct proof_result *result)
{
    struct mirror_proving *proving = &mirror->proving;
    uint64_t lost, left_out;
    ledger_compare(&mirror->ledger, result->replayed, &lost, &left_out);
    watch_stop(result->watch);
    proving->failures += left_out == 0;
    proving->doubts += left_out > 0;
    if (proving->doubts >= MIRROR_DOUBTS_MAX)
        mirror_reload(mirror, "two watches tell different things");
    else
        proving->due_ms = mirror_now_ms(mirror) + MIRROR_AGAIN_MS;
}

/* Whether the ledger has begun anew meanwhile: it took what was lost before for old, and only a
 * count could tell. The next proof makes one. */
static bool mirror_has_forgotten(const struct mirror *mirror, const struct proof_result *result)
{
    return mirror->events.count && !result->has_counted &&
           ledger_start(&mirror->ledger) > mirror->proving.start;
}

static void mirror_on_held(struct mirror *mirror, const struct proof_result *result)
{
    uint64_t lost, unseen;
    if (mirror_has_forgotten(mirror, result)) {
        if (result->watch)
            watch_stop(result->watch);
        mirror->proving.due_ms = mirror_now_ms(mirror) + MIRROR_AGAIN_MS;
        return;
    }
    ledger_compare(&mirror->ledger, result->revision, &lost, &unseen);
    if (result->watch && unseen) {
        mirror_distrust(mirror, result);
        return;
    }
    mirror_believe(mirror, result, lost);
    if (result->watch) {
        mirror_follow_switch(mirror, result->watch, result->member);
        mirror_follow_commit(mirror, NULL);
    } else if (lost) {
        mirror_follow_leave(mirror, STATUS_BAD_REPLY, &(struct detail){"the watch loses events"});
    }
}

static void mirror_on_proof_done(void *arg, const struct proof_result *result, enum status status,
                                 const struct detail *why)
{
    struct mirror *mirror = arg;
    struct mirror_proving *proving = &mirror->proving;
    proving->proof = NULL;
    if (result->verdict == PROOF_HELD) {
        mirror_on_held(mirror, result);
    } else if (result->verdict == PROOF_DIFFERENT) {
        mirror_reload(mirror, why->text);
    } else {
        proving->failures++;
        proving->due_ms =
            mirror_now_ms(mirror) + (status == STATUS_DENIED ? MIRROR_DENIED_MS : MIRROR_AGAIN_MS);
        log_printf(&mirror->etcd->log, LOG_LEVEL_DEBUG, "the watch could not be proven: %s",
                   why->text);
    }
}

/* For the second watch: another member than the one that is watched, if there is one that answers.
 */
static struct member *mirror_other_member(const struct mirror *mirror)
{
    struct member_set *members = &mirror->etcd->members;
    size_t watched = (size_t)(mirror->member - members->list);
    for (size_t i = 0; i < members->count; i++) {
        size_t at = (watched + 1 + i + mirror->proving.failures) % members->count;
        struct member *member = &members->list[at];
        if (member != mirror->member && member->pause_until_ms <= mirror_now_ms(mirror))
            return member;
    }
    return mirror->member;
}

void mirror_prove(struct mirror *mirror)
{
    static const struct proof_events events = {mirror_on_proof_put,   mirror_on_proof_remove,
                                               mirror_on_proof_whole, mirror_on_proof_read,
                                               mirror_on_proof_count, mirror_on_proof_done};
    struct mirror_proving *proving = &mirror->proving;
    bool is_whole = ledger_is_whole(&mirror->ledger);
    bool is_bare = proving->failures >= MIRROR_BARE_AFTER;
    struct proof_plan plan = {
        .prefix = mirror->prefix.text,
        .prefix_len = mirror->prefix.len,
        .end = mirror->end.text,
        .end_len = mirror->end.len,
        .member = is_bare ? NULL : mirror_other_member(mirror),
        .start = ledger_start(&mirror->ledger),
        .proven = mirror->ledger.proven,
        .counted = proving->counted,
        .cluster_id = mirror->cluster_id,
        .raft_term = mirror->raft_term,
        .replays = !is_bare,
        .reads_changes = is_whole && mirror_follow_is_small(mirror),
        .can_count = mirror->events.count,
        .counts = is_bare || !is_whole || mirror_now_ms(mirror) >= proving->count_due_ms,
    };
    proving->start = plan.start;
    proving->proof = proof_start(mirror->etcd, &plan, &events, mirror);
}

bool mirror_prove_is_due(const struct mirror *mirror)
{
    const struct mirror_proving *proving = &mirror->proving;
    uint64_t now_ms = mirror_now_ms(mirror);
    bool are_many = ledger_count(&mirror->ledger) >= MIRROR_MANY ||
                    mirror->newest - ledger_start(&mirror->ledger) >= MIRROR_MANY;
    bool is_early = are_many && proving->failures + proving->doubts == 0 &&
                    now_ms - proving->done_ms >= MIRROR_EARLY_MS;
    return is_early || now_ms >= proving->due_ms;
}
