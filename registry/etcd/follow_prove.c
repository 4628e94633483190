#include "follow_state.h"

#include <inttypes.h>

#define FOLLOW_AGAIN_MS    2000 /* after a proof or a check that could not be finished */
#define FOLLOW_DENIED_MS   30000
#define FOLLOW_BARE_AFTER  2 /* failures of the second watch: reads must do */
#define FOLLOW_DOUBTS_MAX  2
#define FOLLOW_MANY        (LEDGER_KEYS_MAX / 2) /* changed keys: prove earlier */
#define FOLLOW_EARLY_MS    5000                  /* but not more often */
#define FOLLOW_COUNT_SHARE 200 /* counting may take so small a part of etcd's time */

static void follow_prove_on_proof_put(void *arg, const struct kv *kv)
{
    follow_state_put(arg, kv, LEDGER_REPLAYED);
}

static void follow_prove_on_proof_remove(void *arg, const char *key, size_t key_len,
                                         int64_t revision)
{
    follow_state_remove(arg, key, key_len, revision, LEDGER_REPLAYED);
}

static void follow_prove_on_proof_batch_end(void *arg, int64_t revision)
{
    follow_state_reach(arg, revision);
    follow_state_commit(arg, NULL);
}

static void follow_prove_on_proof_read(void *arg, const struct kv *kv)
{
    follow_state_put(arg, kv, LEDGER_READ);
}

static bool follow_prove_on_proof_count(void *arg, uint64_t *count, int64_t *revision)
{
    struct follow *follow = arg;
    struct proof *proof = follow->proving.proof;
    if (watch_in_batch(follow->watch) || (proof && proof_in_batch(proof)))
        return false;
    follow_state_commit(follow, NULL);
    if (follow->is_stopped)
        return false;
    *count = follow->events.count(follow->arg);
    *revision = follow->revision;
    return true;
}

/* All up to the revision has been told, late or not. */
static void follow_prove_believe(struct follow *follow, const struct proof_result *result,
                                 uint64_t lost)
{
    struct follow_proving *proving = &follow->proving;
    uint64_t now_ms = follow_state_now_ms(follow);
    ledger_prove(&follow->ledger, result->revision, result->watch);
    proving->failures = proving->doubts = 0;
    proving->done_ms = now_ms;
    proving->due_ms = now_ms + proving->every_ms;
    if (result->has_counted) {
        proving->counted = result->revision;
        proving->count_due_ms = now_ms + (uint64_t)result->count_ms * FOLLOW_COUNT_SHARE;
    }
    if (result->raft_term > follow->raft_term)
        follow->raft_term = result->raft_term;
    follow->facts.proofs++;
    follow->facts.repairs += lost;
    if (lost)
        log_printf(&follow->etcd->log, LOG_LEVEL_WARNING,
                   "the watch of etcd had lost %" PRIu64 " event%s; mended", lost,
                   lost == 1 ? "" : "s");
}

/* The second watch has told less than the first: it is no proof, or the store is another one. If
 * only what came last is missing, it may be behind: etcd under load takes seconds to replay. */
static void follow_prove_distrust(struct follow *follow, const struct proof_result *result)
{
    struct follow_proving *proving = &follow->proving;
    uint64_t lost, left_out;
    ledger_compare(&follow->ledger, result->replayed, &lost, &left_out);
    watch_stop(result->watch);
    proving->failures += left_out == 0;
    proving->doubts += left_out > 0;
    if (proving->doubts >= FOLLOW_DOUBTS_MAX)
        follow_state_reload(follow, "two watches tell different things");
    else
        proving->due_ms = follow_state_now_ms(follow) + FOLLOW_AGAIN_MS;
}

/* Whether the ledger has begun anew meanwhile: it took what was lost before for old, and only a
 * count could tell. The next proof makes one. */
static bool follow_prove_has_forgotten(const struct follow *follow,
                                       const struct proof_result *result)
{
    return follow->events.count && !result->has_counted &&
           ledger_start(&follow->ledger) > follow->proving.start;
}

/* Go on with the second watch, which stands, in the place of the first. */
static void follow_prove_switch_watch(struct follow *follow, struct watch *watch,
                                      struct member *member)
{
    watch_stop(follow->watch);
    follow->watch = watch;
    watch_hand_over(watch, follow->watch_events, follow);
    if (follow->probe)
        range_cancel(follow->probe);
    follow->probe = NULL;
    follow->probes_failed = 0;
    follow->member = member;
}

static void follow_prove_on_held(struct follow *follow, const struct proof_result *result)
{
    uint64_t lost, unseen;
    if (follow_prove_has_forgotten(follow, result)) {
        if (result->watch)
            watch_stop(result->watch);
        follow->proving.due_ms = follow_state_now_ms(follow) + FOLLOW_AGAIN_MS;
        return;
    }
    ledger_compare(&follow->ledger, result->revision, &lost, &unseen);
    if (result->watch && unseen) {
        follow_prove_distrust(follow, result);
        return;
    }
    follow_prove_believe(follow, result, lost);
    if (result->watch) {
        follow_prove_switch_watch(follow, result->watch, result->member);
        follow_state_commit(follow, NULL);
    } else if (lost) {
        follow_state_abandon_member(follow, STATUS_BAD_REPLY,
                                    &(struct detail){"the watch loses events"});
    }
}

static void follow_prove_on_proof_done(void *arg, const struct proof_result *result,
                                       enum status status, const struct detail *why)
{
    struct follow *follow = arg;
    struct follow_proving *proving = &follow->proving;
    proving->proof = NULL;
    if (result->verdict == PROOF_HELD) {
        follow_prove_on_held(follow, result);
    } else if (result->verdict == PROOF_DIFFERENT) {
        follow_state_reload(follow, why->text);
    } else {
        proving->failures++;
        proving->due_ms = follow_state_now_ms(follow) +
                          (status == STATUS_DENIED ? FOLLOW_DENIED_MS : FOLLOW_AGAIN_MS);
        log_printf(&follow->etcd->log, LOG_LEVEL_DEBUG, "the watch could not be proven: %s",
                   why->text);
    }
}

/* For the second watch: another member than the one that is watched, if there is one that answers.
 */
static struct member *follow_prove_other_member(const struct follow *follow)
{
    struct member_set *members = &follow->etcd->members;
    size_t watched = (size_t)(follow->member - members->list);
    for (size_t i = 0; i < members->count; i++) {
        size_t at = (watched + 1 + i + follow->proving.failures) % members->count;
        struct member *member = &members->list[at];
        if (member != follow->member && member->pause_until_ms <= follow_state_now_ms(follow))
            return member;
    }
    return follow->member;
}

void follow_prove(struct follow *follow)
{
    static const struct proof_events events = {
        follow_prove_on_proof_put,  follow_prove_on_proof_remove, follow_prove_on_proof_batch_end,
        follow_prove_on_proof_read, follow_prove_on_proof_count,  follow_prove_on_proof_done};
    struct follow_proving *proving = &follow->proving;
    bool is_whole = ledger_is_whole(&follow->ledger);
    bool is_bare = proving->failures >= FOLLOW_BARE_AFTER;
    struct proof_plan plan = {
        .prefix = follow->prefix.text,
        .prefix_len = follow->prefix.len,
        .end = follow->end.text,
        .end_len = follow->end.len,
        .member = is_bare ? NULL : follow_prove_other_member(follow),
        .start = ledger_start(&follow->ledger),
        .proven = follow->ledger.proven,
        .counted = proving->counted,
        .cluster_id = follow->cluster_id,
        .raft_term = follow->raft_term,
        .replays = !is_bare,
        .reads_changes = is_whole && follow_state_is_small(follow),
        .can_count = follow->events.count,
        .counts = is_bare || !is_whole || follow_state_now_ms(follow) >= proving->count_due_ms,
    };
    proving->start = plan.start;
    proving->proof = proof_start(follow->etcd, &plan, &events, follow);
}

bool follow_prove_is_due(const struct follow *follow)
{
    const struct follow_proving *proving = &follow->proving;
    uint64_t now_ms = follow_state_now_ms(follow);
    bool are_many = ledger_count(&follow->ledger) >= FOLLOW_MANY ||
                    follow->newest - ledger_start(&follow->ledger) >= FOLLOW_MANY;
    bool is_early = are_many && proving->failures + proving->doubts == 0 &&
                    now_ms - proving->done_ms >= FOLLOW_EARLY_MS;
    return is_early || now_ms >= proving->due_ms;
}
