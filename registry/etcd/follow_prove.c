/* A watch can fall silent or lose events without a word: etcd's own have lost deletes (etcd#18089,
 * #19179), a proxy may forget a stream. So a second watch, on another member where there is one,
 * replays what happened since the last revision that was proven; what it tells and the first did
 * not was lost. It has told enough when it has come to a revision that a linearizable read named
 * before, or has been silent for a while since: then the changes of the time cost twice, and the
 * keys nothing. It takes the first one's place then.
 *
 * Two watches may lose the same. Where etcd can afford it (reads_changes), the keys changed since
 * are read as well; and the number of keys is compared (needs_count), which a lone loss makes
 * differ. Neither is done while the store's revision stands still. */
#include "follow_state.h"

#include <inttypes.h>

#define FOLLOW_AGAIN_MS    2000 /* after a proof or a check that could not be finished */
#define FOLLOW_DENIED_MS   30000
#define FOLLOW_BARE_AFTER  2 /* failures of the second watch: reads must do */
#define FOLLOW_DOUBTS_MAX  2
#define FOLLOW_MANY        (LEDGER_KEYS_MAX / 2) /* changed keys: prove earlier */
#define FOLLOW_EARLY_MS    5000                  /* but not more often */
#define FOLLOW_COUNT_SHARE 200   /* counting may take so small a part of etcd's time */
#define FOLLOW_SETTLE_MS   1000  /* the first watch may be a little late, too */
#define FOLLOW_SILENCE_MS  2000  /* etcd replays every 100 ms */
#define FOLLOW_SECOND_MS   5000  /* for the second watch to be made */
#define FOLLOW_LIMIT_MS    20000 /* for the whole, but for what is being read */
#define FOLLOW_COUNTS_MAX  3     /* before a difference counts */
#define FOLLOW_READ_MS     10000 /* without progress */

/* It could not be found out. */
static void follow_prove_fail(struct follow *follow, enum status status, const char *text)
{
    follow_state_end_proof(follow);
    follow->proving.failures++;
    follow->proving.due_ms = follow_state_now_ms(follow) +
                             (status == STATUS_DENIED ? FOLLOW_DENIED_MS : FOLLOW_AGAIN_MS);
    log_printf(&follow->etcd->log, LOG_LEVEL_DEBUG, "the watch could not be proven: %s", text);
}

/* All up to the target has been told, late or not. */
static void follow_prove_believe(struct follow *follow, const struct follow_proof *proof,
                                 uint64_t lost)
{
    struct follow_proving *proving = &follow->proving;
    uint64_t now_ms = follow_state_now_ms(follow);
    ledger_prove(&follow->ledger, proof->target, proof->watch);
    proving->failures = proving->doubts = 0;
    proving->done_ms = now_ms;
    proving->due_ms = now_ms + proving->every_ms;
    if (proof->has_counted) {
        proving->counted = proof->target;
        proving->count_due_ms = now_ms + (uint64_t)proof->count_ms * FOLLOW_COUNT_SHARE;
    }
    if (proof->raft_term > follow->raft_term)
        follow->raft_term = proof->raft_term;
    follow->facts.proofs++;
    if (proof->asked_ms > follow->facts.proven_ms) /* a probe may have proven more meanwhile */
        follow->facts.proven_ms = proof->asked_ms;
    follow->facts.repairs += lost;
    if (lost)
        log_printf(&follow->etcd->log, LOG_LEVEL_WARNING,
                   "the watch of etcd had lost %" PRIu64 " event%s; mended", lost,
                   lost == 1 ? "" : "s");
}

/* The second watch has told less than the first: it is no proof, or the store is another one. If
 * only what came last is missing, it may be behind: etcd under load takes seconds to replay. */
static void follow_prove_distrust(struct follow *follow, const struct follow_proof *proof)
{
    struct follow_proving *proving = &follow->proving;
    uint64_t lost, left_out;
    ledger_compare(&follow->ledger, proof->replayed, &lost, &left_out);
    watch_stop(proof->watch);
    proving->failures += left_out == 0;
    proving->doubts += left_out > 0;
    if (proving->doubts >= FOLLOW_DOUBTS_MAX)
        follow_state_reload(follow, "two watches tell different things");
    else
        proving->due_ms = follow_state_now_ms(follow) + FOLLOW_AGAIN_MS;
}

/* Whether the ledger has begun anew meanwhile: it took what was lost before for old, and only a
 * count could tell. The next proof makes one. */
static bool follow_prove_has_forgotten(const struct follow *follow)
{
    return follow->events.count && !follow->proof.has_counted &&
           ledger_start(&follow->ledger) > follow->proof.start;
}

/* Go on with the second watch, which stands, in the place of the first. */
static void follow_prove_switch_watch(struct follow *follow, const struct follow_proof *proof)
{
    watch_stop(follow->watch);
    follow->watch = proof->watch;
    follow->amid = follow->amid & LEDGER_REPLAYED ? LEDGER_FOLLOWED : 0;
    watch_hand_over(proof->watch, follow->watch_events);
    /* It asks the member that is left. */
    if (follow->probe)
        range_cancel(follow->probe);
    follow->probe = NULL;
    follow_state_end_rivals(follow);
    follow->probes_failed = 0;
    follow->member = proof->member;
}

/* All up to the target has been told by one or the other. */
static void follow_prove_finish(struct follow *follow)
{
    struct follow_proof proof = follow->proof;
    uint64_t lost, unseen;
    if (follow_prove_has_forgotten(follow)) {
        follow_state_end_proof(follow);
        follow->proving.due_ms = follow_state_now_ms(follow) + FOLLOW_AGAIN_MS;
        return;
    }
    follow->proof = (struct follow_proof){.step = FOLLOW_PROOF_NONE};
    ledger_compare(&follow->ledger, proof.target, &lost, &unseen);
    if (proof.watch && unseen) {
        follow_prove_distrust(follow, &proof);
        return;
    }
    follow_prove_believe(follow, &proof, lost);
    if (proof.watch) {
        follow_prove_switch_watch(follow, &proof);
        follow_state_commit(follow);
    } else if (lost) {
        /* Only reads have shown it: there is no second watch to go on with. */
        follow_state_abandon_member(follow, STATUS_BAD_REPLY,
                                    &(struct detail){"the watch loses events"});
    }
}

static void follow_prove_on_range(void *arg, enum status status,
                                  const struct kv_range_result *result, const struct detail *why);

static void follow_prove_ask(struct follow *follow, enum follow_proof_step step,
                             const struct kv_range *range, kv_each *each)
{
    follow->proof.step = step;
    follow->proof.range =
        range_start(follow->etcd, range, follow->proof.member, each, follow_prove_on_range, follow);
}

/* A linearizable read of the member that replays: what comes up to its revision is in the second
 * watch's queue then, or will be looked for by etcd at once. */
static void follow_prove_read_target(struct follow *follow)
{
    follow->proof.step = FOLLOW_PROOF_TARGETING;
    follow->proof.asked_ms = follow_state_now_ms(follow);
    follow->proof.range =
        follow_state_ask(follow, follow->proof.member, 0, follow_prove_on_range, follow);
}

/* Without a second watch, reads must do. */
static void follow_prove_do_without(struct follow_proof *proof)
{
    if (proof->watch)
        watch_stop(proof->watch);
    proof->watch = NULL;
    proof->needs_count = true;
}

static void follow_prove_take_target(struct follow *follow, const struct kv_range_result *result)
{
    struct follow_proof *proof = &follow->proof;
    if (result->cluster_id != follow->cluster_id) {
        follow_state_reload(follow, "another cluster answers");
    } else if (result->revision < follow->ledger.proven || result->raft_term < follow->raft_term) {
        follow_state_reload(follow, "the store has gone back");
    } else {
        proof->target = result->revision;
        proof->raft_term = result->raft_term;
        proof->target_ms = follow_state_now_ms(follow);
        proof->step = FOLLOW_PROOF_SETTLING;
        if (proof->watch && proof->target - proof->start > FOLLOW_GAP_MAX)
            follow_prove_do_without(proof);
    }
}

/* What is held is that of the revision told last; and of the target, if nothing came up to it.
 * Inside a line it is that of no revision: the next tick tries again. */
static void follow_prove_count(struct follow *follow)
{
    struct follow_proof *proof = &follow->proof;
    struct kv_range range = follow->keys;
    if (watch_in_batch(follow->watch) || (proof->watch && watch_in_batch(proof->watch)))
        return;
    follow_state_commit(follow);
    if (follow->is_stopped)
        return;
    range.revision = follow->revision > proof->target ? follow->revision : proof->target;
    range.count_only = true;
    range.timeout_ms = FOLLOW_READ_MS;
    proof->held = follow->events.count(follow->arg);
    proof->count_began_ms = follow_state_now_ms(follow);
    follow_prove_ask(follow, FOLLOW_PROOF_COUNTING, &range, NULL);
}

static void follow_prove_take_count(struct follow *follow, uint64_t count)
{
    struct follow_proof *proof = &follow->proof;
    if (count == proof->held) {
        proof->has_counted = true;
        proof->count_ms = (uint32_t)(follow_state_now_ms(follow) - proof->count_began_ms);
        follow_prove_finish(follow);
    } else if (++proof->counts < FOLLOW_COUNTS_MAX) {
        proof->step = FOLLOW_PROOF_WAITING;
    } else {
        follow_state_reload(follow, "the number of keys differs");
    }
}

static void follow_prove_go_on_to_count(struct follow *follow)
{
    struct follow_proof *proof = &follow->proof;
    bool is_due = proof->needs_count && proof->target != follow->proving.counted;
    proof->step = FOLLOW_PROOF_WAITING;
    if (is_due && follow->events.count)
        follow_prove_count(follow);
    else
        follow_prove_finish(follow);
}

static bool follow_prove_on_read(void *arg, const struct kv *kv)
{
    struct follow *follow = arg;
    follow_state_put(follow, kv, LEDGER_READ);
    return !follow->is_stopped;
}

static void follow_prove_read_changes(struct follow *follow)
{
    struct follow_proof *proof = &follow->proof;
    struct kv_range range = follow->keys;
    range.revision = proof->target;
    range.min_mod_revision = follow->ledger.proven + 1;
    range.timeout_ms = FOLLOW_READ_MS;
    if (proof->reads_changes && proof->target != follow->ledger.proven)
        follow_prove_ask(follow, FOLLOW_PROOF_READING, &range, follow_prove_on_read);
    else
        follow_prove_go_on_to_count(follow);
}

static void follow_prove_on_range(void *arg, enum status status,
                                  const struct kv_range_result *result, const struct detail *why)
{
    struct follow *follow = arg;
    follow->proof.range = NULL;
    if (status != STATUS_OK)
        follow_prove_fail(follow, status, why->text);
    else if (follow->proof.step == FOLLOW_PROOF_TARGETING)
        follow_prove_take_target(follow, result);
    else if (follow->proof.step == FOLLOW_PROOF_READING)
        follow_prove_go_on_to_count(follow);
    else
        follow_prove_take_count(follow, result->count);
}

/* Another cluster is left before it tells what happened there. */
static void follow_prove_on_created(void *arg, const struct gateway_reply_header *header)
{
    struct follow *follow = arg;
    if (header->cluster_id != follow->cluster_id)
        follow_state_reload(follow, "another cluster answers");
    else if (follow->proof.step == FOLLOW_PROOF_JOINING)
        follow_prove_read_target(follow);
}

static void follow_prove_on_put(void *arg, const struct kv *kv)
{
    follow_state_put(arg, kv, LEDGER_REPLAYED);
}

static void follow_prove_on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    follow_state_remove(arg, key, key_len, revision, LEDGER_REPLAYED);
}

static void follow_prove_on_batch_end(void *arg, int64_t revision)
{
    struct follow *follow = arg;
    follow->proof.replayed = revision;
    follow_state_end_line(follow, LEDGER_REPLAYED, revision);
}

static void follow_prove_on_lost(void *arg, enum status status, const struct detail *why)
{
    struct follow *follow = arg;
    follow->proof.watch = NULL;
    if (status != STATUS_COMPACTED) {
        follow_prove_fail(follow, status, why->text);
        return;
    }
    follow_prove_do_without(&follow->proof);
    if (follow->proof.step == FOLLOW_PROOF_JOINING)
        follow_prove_read_target(follow);
}

/* Whether all up to the target must have been told by now. */
static bool follow_prove_has_settled(const struct follow *follow)
{
    const struct follow_proof *proof = &follow->proof;
    uint64_t now_ms = follow_state_now_ms(follow);
    if (now_ms - proof->target_ms < FOLLOW_SETTLE_MS)
        return false;
    if (!proof->watch || proof->target < proof->start || proof->replayed >= proof->target)
        return true;
    uint64_t heard_ms = watch_last_seen_ms(proof->watch);
    if (heard_ms < proof->target_ms)
        heard_ms = proof->target_ms;
    return now_ms - heard_ms >= FOLLOW_SILENCE_MS && !watch_in_batch(proof->watch);
}

/* Whether the second watch has come to a stand, or takes too long. */
static bool follow_prove_is_late(const struct follow *follow)
{
    const struct follow_proof *proof = &follow->proof;
    uint64_t now_ms = follow_state_now_ms(follow);
    uint64_t limit_ms = proof->step == FOLLOW_PROOF_JOINING ? FOLLOW_SECOND_MS : FOLLOW_LIMIT_MS;
    bool is_amid = proof->watch && watch_in_batch(proof->watch);
    return now_ms - proof->began_ms >= limit_ms ||
           (is_amid && now_ms - watch_last_seen_ms(proof->watch) >= FOLLOW_AMID_MS);
}

void follow_prove_tick(struct follow *follow)
{
    enum follow_proof_step step = follow->proof.step;
    bool is_asking = step == FOLLOW_PROOF_TARGETING || step == FOLLOW_PROOF_READING ||
                     step == FOLLOW_PROOF_COUNTING;
    if (is_asking && !follow->proof.range)
        follow_prove_fail(follow, STATUS_NO_MEMORY, "out of memory");
    else if (!is_asking && follow_prove_is_late(follow))
        follow_prove_fail(follow, STATUS_TIMED_OUT, "the second watch does not come to an end");
    else if (step == FOLLOW_PROOF_SETTLING && follow_prove_has_settled(follow))
        follow_prove_read_changes(follow);
    else if (step == FOLLOW_PROOF_WAITING)
        follow_prove_count(follow);
}

/* For the second watch: another member than the one that is watched, if there is one that answers;
 * each failure begins the search one further on, since it may be the member that fails. */
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
    static const struct watch_events events = {follow_prove_on_created, follow_prove_on_put,
                                               follow_prove_on_remove, follow_prove_on_batch_end,
                                               follow_prove_on_lost};
    struct follow_proof *proof = &follow->proof;
    struct kv_range range = follow->keys;
    uint64_t now_ms = follow_state_now_ms(follow);
    bool is_whole = ledger_is_whole(&follow->ledger);
    bool is_bare = follow->proving.failures >= FOLLOW_BARE_AFTER;
    *proof = (struct follow_proof){
        .step = FOLLOW_PROOF_JOINING,
        .member = is_bare ? NULL : follow_prove_other_member(follow),
        .start = ledger_start(&follow->ledger),
        .began_ms = now_ms,
        .reads_changes = is_whole && follow_state_is_small(follow),
        .needs_count = is_bare || !is_whole || now_ms >= follow->proving.count_due_ms,
    };
    range.revision = proof->start;
    follow_state_begin_watch(follow, LEDGER_REPLAYED);
    if (is_bare)
        follow_prove_read_target(follow);
    else
        proof->watch = watch_start(follow->etcd, proof->member, &range, &events, follow);
    if (!proof->watch && !proof->range)
        proof->step = FOLLOW_PROOF_NONE;
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
