#include "proof.h"

#include "client.h"
#include "kv.h"
#include "watch.h"

#include <stdlib.h>

#define PROOF_GAP_MAX    20000 /* revisions; etcd replays more in a time that grows squarely */
#define PROOF_SETTLE_MS  1000  /* the first watch may be a little late, too */
#define PROOF_SILENCE_MS 2000  /* etcd replays every 100 ms */
#define PROOF_JOIN_MS    5000  /* for the second watch to be made */
#define PROOF_LIMIT_MS   20000 /* for the whole, but for what is being read */
#define PROOF_AMID_MS    5000  /* that a line may pause */
#define PROOF_COUNTS_MAX 3     /* before a difference counts */
#define PROOF_READ_MS    10000 /* without progress */

enum proof_step {
    PROOF_JOINING,   /* the second watch is being made */
    PROOF_TARGETING, /* the store's revision is being read */
    PROOF_SETTLING,  /* until all up to there must have been told */
    PROOF_READING,
    PROOF_WAITING, /* to count */
    PROOF_COUNTING
};

struct proof {
    struct etcd *etcd;
    struct proof_plan plan;
    const struct proof_events *events;
    void *arg;
    enum proof_step step;
    struct watch *watch;
    struct range *range;
    int64_t replayed; /* by the second watch */
    int64_t target;
    uint64_t began_ms, target_ms, count_began_ms;
    uint64_t held;   /* keys, while they are counted */
    unsigned counts; /* that were made */
    struct proof_result result;
};

static uint64_t proof_now_ms(const struct proof *proof)
{
    return uv_now(proof->etcd->loop);
}

static void proof_stop_watch(struct proof *proof)
{
    if (proof->watch)
        watch_stop(proof->watch);
    proof->watch = NULL;
}

/* Without a second watch, reads must do. */
static void proof_do_without(struct proof *proof)
{
    proof_stop_watch(proof);
    proof->plan.counts = true;
}

static void proof_finish(struct proof *proof, enum proof_verdict verdict, enum status status,
                         const struct detail *why)
{
    const struct proof_events *events = proof->events;
    void *arg = proof->arg;
    struct proof_result result = proof->result;
    if (proof->range) /* the watch may be lost during a read */
        range_cancel(proof->range);
    if (verdict != PROOF_HELD)
        proof_stop_watch(proof);
    result.verdict = verdict;
    result.revision = proof->target;
    result.replayed = proof->replayed;
    result.watch = proof->watch;
    result.member = proof->plan.member;
    free(proof);
    events->done(arg, &result, status, why);
}

static void proof_on_put(void *arg, const struct kv *kv)
{
    struct proof *proof = arg;
    proof->events->put(proof->arg, kv);
}

static void proof_on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    struct proof *proof = arg;
    proof->events->remove(proof->arg, key, key_len, revision);
}

static void proof_on_whole(void *arg, int64_t revision)
{
    struct proof *proof = arg;
    proof->replayed = revision;
    proof->events->on_batch_end(proof->arg, revision);
}

static bool proof_on_read(void *arg, const struct kv *kv)
{
    struct proof *proof = arg;
    proof->events->read(proof->arg, kv);
    return true;
}

static void proof_on_target(void *arg, enum status status, const struct kv_range_result *result,
                            const struct detail *why)
{
    struct proof *proof = arg;
    proof->range = NULL;
    if (status != STATUS_OK) {
        proof_finish(proof, PROOF_UNKNOWN, status, why);
    } else if (result->cluster_id != proof->plan.cluster_id) {
        proof_finish(proof, PROOF_DIFFERENT, STATUS_OK,
                     &(struct detail){"another cluster answers"});
    } else if (result->revision < proof->plan.proven || result->raft_term < proof->plan.raft_term) {
        proof_finish(proof, PROOF_DIFFERENT, STATUS_OK,
                     &(struct detail){"the store has gone back"});
    } else {
        proof->target = result->revision;
        proof->result.raft_term = result->raft_term;
        proof->target_ms = proof_now_ms(proof);
        proof->step = PROOF_SETTLING;
        if (proof->watch && proof->target - proof->plan.start > PROOF_GAP_MAX)
            proof_do_without(proof);
    }
}

/* A linearizable read of the member that replays: what comes up to its revision is in the second
 * watch's queue then, or will be looked for by etcd at once. */
static void proof_read_target(struct proof *proof)
{
    struct kv_range range = {
        .key = proof->plan.prefix, .key_len = proof->plan.prefix_len, .keys_only = true};
    proof->step = PROOF_TARGETING;
    proof->range =
        range_start(proof->etcd, &range, proof->plan.member, NULL, proof_on_target, proof);
}

static void proof_on_created(void *arg, const struct gateway_reply_header *header)
{
    struct proof *proof = arg;
    if (header->cluster_id != proof->plan.cluster_id)
        proof_finish(
            proof, PROOF_DIFFERENT, STATUS_OK,
            &(struct detail){"another cluster answers"}); /* before it tells what happened there */
    else if (proof->step == PROOF_JOINING)
        proof_read_target(proof);
}

static void proof_on_lost(void *arg, enum status status, const struct detail *why)
{
    struct proof *proof = arg;
    proof->watch = NULL;
    if (status != STATUS_COMPACTED) {
        proof_finish(proof, PROOF_UNKNOWN, status, why);
        return;
    }
    proof_do_without(proof);
    if (proof->step == PROOF_JOINING)
        proof_read_target(proof);
}

static void proof_on_count(void *arg, enum status status, const struct kv_range_result *result,
                           const struct detail *why)
{
    struct proof *proof = arg;
    proof->range = NULL;
    if (status != STATUS_OK) {
        proof_finish(proof, PROOF_UNKNOWN, status, why);
    } else if (result->count == proof->held) {
        proof->result.has_counted = true;
        proof->result.count_ms = (uint32_t)(proof_now_ms(proof) - proof->count_began_ms);
        proof_finish(proof, PROOF_HELD, STATUS_OK, why);
    } else if (++proof->counts < PROOF_COUNTS_MAX) {
        proof->step = PROOF_WAITING;
    } else {
        proof_finish(proof, PROOF_DIFFERENT, STATUS_OK,
                     &(struct detail){"the number of keys differs"});
    }
}

/* What is held is that of the revision told last; and of the target, if nothing came up to it. */
static void proof_count(struct proof *proof)
{
    int64_t revision;
    if (!proof->events->count(proof->arg, &proof->held, &revision))
        return;
    struct kv_range range = {
        .key = proof->plan.prefix,
        .key_len = proof->plan.prefix_len,
        .end = proof->plan.end,
        .end_len = proof->plan.end_len,
        .revision = revision > proof->target ? revision : proof->target,
        .count_only = true,
        .timeout_ms = PROOF_READ_MS,
    };
    proof->step = PROOF_COUNTING;
    proof->count_began_ms = proof_now_ms(proof);
    proof->range =
        range_start(proof->etcd, &range, proof->plan.member, NULL, proof_on_count, proof);
}

static void proof_go_on_to_count(struct proof *proof)
{
    bool is_due = proof->plan.counts && proof->target != proof->plan.counted;
    if (!is_due || !proof->plan.can_count) {
        proof_finish(proof, PROOF_HELD, STATUS_OK, &(struct detail){""});
        return;
    }
    proof->step = PROOF_WAITING;
    proof_count(proof);
}

static void proof_on_changes(void *arg, enum status status, const struct kv_range_result *result,
                             const struct detail *why)
{
    struct proof *proof = arg;
    (void)result;
    proof->range = NULL;
    if (status != STATUS_OK)
        proof_finish(proof, PROOF_UNKNOWN, status, why);
    else
        proof_go_on_to_count(proof);
}

static void proof_read_changes(struct proof *proof)
{
    struct kv_range range = {
        .key = proof->plan.prefix,
        .key_len = proof->plan.prefix_len,
        .end = proof->plan.end,
        .end_len = proof->plan.end_len,
        .revision = proof->target,
        .min_mod_revision = proof->plan.proven + 1,
        .timeout_ms = PROOF_READ_MS,
    };
    if (!proof->plan.reads_changes || proof->target == proof->plan.proven) {
        proof_go_on_to_count(proof);
        return;
    }
    proof->step = PROOF_READING;
    proof->range = range_start(proof->etcd, &range, proof->plan.member, proof_on_read,
                               proof_on_changes, proof);
}

/* Whether all up to the target must have been told by now. */
static bool proof_has_settled(const struct proof *proof)
{
    uint64_t now_ms = proof_now_ms(proof);
    if (now_ms - proof->target_ms < PROOF_SETTLE_MS)
        return false;
    if (!proof->watch || proof->target < proof->plan.start || proof->replayed >= proof->target)
        return true;
    uint64_t heard_ms = watch_last_seen_ms(proof->watch);
    if (heard_ms < proof->target_ms)
        heard_ms = proof->target_ms;
    return now_ms - heard_ms >= PROOF_SILENCE_MS && !watch_in_batch(proof->watch);
}

/* Whether the second watch has come to a stand, or takes too long. */
static bool proof_is_late(const struct proof *proof)
{
    uint64_t now_ms = proof_now_ms(proof);
    uint64_t limit_ms = proof->step == PROOF_JOINING ? PROOF_JOIN_MS : PROOF_LIMIT_MS;
    bool is_amid = proof->watch && watch_in_batch(proof->watch);
    return now_ms - proof->began_ms >= limit_ms ||
           (is_amid && now_ms - watch_last_seen_ms(proof->watch) >= PROOF_AMID_MS);
}

void proof_tick(struct proof *proof)
{
    bool is_asking = proof->step == PROOF_TARGETING || proof->step == PROOF_READING ||
                     proof->step == PROOF_COUNTING;
    if (is_asking && !proof->range)
        proof_finish(proof, PROOF_UNKNOWN, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
    else if (!is_asking && proof_is_late(proof))
        proof_finish(proof, PROOF_UNKNOWN, STATUS_TIMED_OUT,
                     &(struct detail){"the second watch does not come to an end"});
    else if (proof->step == PROOF_SETTLING && proof_has_settled(proof))
        proof_read_changes(proof);
    else if (proof->step == PROOF_WAITING)
        proof_count(proof);
}

struct proof *proof_start(struct etcd *etcd, const struct proof_plan *plan,
                          const struct proof_events *events, void *arg)
{
    static const struct watch_events watch_events = {
        proof_on_created, proof_on_put, proof_on_remove, proof_on_whole, proof_on_lost};
    struct proof *proof = calloc(1, sizeof(*proof));
    if (!proof)
        return NULL;
    *proof = (struct proof){.etcd = etcd, .plan = *plan, .events = events, .arg = arg};
    proof->began_ms = proof_now_ms(proof);
    if (plan->replays)
        proof->watch = watch_start(etcd, plan->member, plan->prefix, plan->prefix_len, plan->end,
                                   plan->end_len, plan->start, &watch_events, proof);
    else
        proof_read_target(proof);
    if (!proof->watch && !proof->range) {
        free(proof);
        return NULL;
    }
    return proof;
}

bool proof_in_batch(const struct proof *proof)
{
    return proof->watch && watch_in_batch(proof->watch);
}

void proof_cancel(struct proof *proof)
{
    if (proof->range)
        range_cancel(proof->range);
    proof_stop_watch(proof);
    free(proof);
}
