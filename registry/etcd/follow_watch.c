/* A watch is silent as long as nothing changes, and so is one whose member hangs: the connection
 * stays, as the kernel answers for a process that is stopped. Over HTTP/1.1 the gateway cannot be
 * asked for a sign of life on the stream, since it answers nothing before the request's body has
 * ended (etcd#8237), and progress notifications come every ten minutes. So while a watch is silent
 * its member is sent a linearizable read: what answers that lives and has a leader.
 *
 * How long to wait for the answer? During an election or behind a slow disk no member has one, and
 * to go elsewhere is of no use; but a member that is stopped keeps us from those that are well. So
 * when the answer is late all others are asked the same, and the first that has one is gone to: one
 * after the other, each that is stopped, too, would cost its time. The same holds for a watch that
 * is being created. */
#include "follow_state.h"

#define FOLLOW_TICK_MS    250
#define FOLLOW_PROBE_MS   1000  /* a watch silent for so long has its member probed */
#define FOLLOW_ANSWER_MS  2000  /* for the probe's answer */
#define FOLLOW_LATE_MS    250   /* when the other members are asked the same */
#define FOLLOW_RIVAL_MS   1000  /* for their answers */
#define FOLLOW_AWAIT_MS   750   /* for a watch to be created, until the others are asked; */
#define FOLLOW_AWAITS     4     /* doubled so often: where they answer, but watches take long */
#define FOLLOW_STILL_MAX  4     /* ticks in which nothing comes of the line that has begun */
#define FOLLOW_PROBES_MAX 3     /* that are answered with a failure */
#define FOLLOW_STEADY_MS  5000  /* a watch that lives so long was no failure */
#define FOLLOW_JOIN_MS    10000 /* for a watch to be created */
#define FOLLOW_STALLS_MAX 2     /* at the same place */
#define FOLLOW_OUTAGE_MS  1000  /* a shorter silence leaves hardly time to restore a store, */
#define FOLLOW_REFILL_MS  2000  /* nor this to wipe it and fill it anew */

/* The store's revision, by a linearizable read. While it is the one that was proven last, all is
 * proven that it had accepted when it was asked. */
static void follow_watch_take_revision(struct follow *follow, const struct kv_range_result *result)
{
    if (result->revision > follow->newest)
        follow->newest = result->revision;
    if (result->revision == follow->ledger.proven && result->cluster_id == follow->cluster_id &&
        !follow->needs_check)
        follow->facts.proven_ms = follow->probed_ms;
}

static void follow_watch_on_probe_done(void *arg, enum status status,
                                       const struct kv_range_result *result,
                                       const struct detail *why)
{
    struct follow *follow = arg;
    follow->probe = NULL;
    follow_state_end_rivals(follow);
    if (status == STATUS_OK)
        follow_watch_take_revision(follow, result);
    /* A role that was withdrawn does not end a running watch. Another error may come of an
     * election, which a watch outlives: several in a row count, but silence at once. */
    if (status == STATUS_OK || status == STATUS_DENIED) {
        follow->probes_failed = 0;
        follow->last_seen_ms = follow_state_now_ms(follow);
    } else if (status == STATUS_TIMED_OUT || ++follow->probes_failed >= FOLLOW_PROBES_MAX) {
        follow_state_abandon_member(follow, status, why);
    }
}

/* Its answer is all that is wanted: what is waited for has not come. */
static void follow_watch_on_rival_done(void *arg, enum status status,
                                       const struct kv_range_result *result,
                                       const struct detail *why)
{
    struct follow_rival *rival = arg;
    struct follow *follow = rival->follow;
    (void)result, (void)why;
    rival->range = NULL;
    if (status != STATUS_OK && status != STATUS_DENIED)
        return;
    bool is_joining = follow->state == FOLLOW_JOINING;
    follow->watches_lost += is_joining;
    struct detail late;
    enum status timed_out =
        detail_set(&late, STATUS_TIMED_OUT, "%sno answer in time", is_joining ? "watch: " : "");
    follow_state_abandon_member(follow, timed_out, &late);
    if (!follow->is_stopped)
        follow_state_pause(follow, 0); /* it is known where to go */
}

/* The only member may still answer on another connection than the watch's. */
static void follow_watch_ask_rivals(struct follow *follow)
{
    struct member_set *members = &follow->etcd->members;
    bool asks_own = follow->state == FOLLOW_JOINING && members->count == 1;
    for (size_t i = 0; i < members->count; i++) {
        struct member *member = &members->list[i];
        struct follow_rival *rival = &follow->rivals[i];
        if (rival->range || (member == follow->member && !asks_own))
            continue;
        rival->follow = follow;
        rival->range =
            follow_state_ask(follow, member, FOLLOW_RIVAL_MS, follow_watch_on_rival_done, rival);
    }
}

static void follow_watch_probe(struct follow *follow)
{
    uint64_t now_ms = follow_state_now_ms(follow), seen_ms = watch_last_seen_ms(follow->watch);
    if (follow->probe && now_ms - follow->probed_ms >= FOLLOW_LATE_MS)
        follow_watch_ask_rivals(follow);
    if (follow->probe || now_ms - seen_ms < FOLLOW_PROBE_MS ||
        now_ms - follow->last_seen_ms < FOLLOW_PROBE_MS)
        return;
    follow->probed_ms = now_ms;
    follow->probe = follow_state_ask(follow, follow->member, FOLLOW_ANSWER_MS,
                                     follow_watch_on_probe_done, follow);
}

static void follow_watch_on_check_done(void *arg, enum follow_check_result result,
                                       const struct detail *why)
{
    struct follow *follow = arg;
    follow->check = NULL;
    follow->needs_check = result == FOLLOW_CHECK_UNKNOWN;
    if (result == FOLLOW_CHECK_DIFFERENT)
        follow_state_reload(follow, why->text);
}

static void follow_watch_check(struct follow *follow)
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
                                       follow_watch_on_check_done, follow);
}

/* The watch goes on no further here. Once may be the connection's fault, or the member's; the
 * second time behind the same revision it is what comes next that cannot be followed, and is
 * loaded. */
static void follow_watch_stall(struct follow *follow, enum status status, const struct detail *why)
{
    if (follow->stalled_at != follow->revision)
        follow->stalls = 0;
    follow->stalled_at = follow->revision;
    if (++follow->stalls >= FOLLOW_STALLS_MAX)
        follow_state_reload(follow, why->text);
    else
        follow_state_abandon_member(follow, status, why);
}

/* Counted in ticks, between which the loop reads: after a pause of our own there is still to be read
 * what came meanwhile. */
static bool follow_watch_is_still(struct follow *follow)
{
    uint64_t seen_ms = watch_last_seen_ms(follow->watch);
    bool is_still = watch_in_batch(follow->watch) && seen_ms == follow->still_ms;
    follow->still_ticks = is_still ? follow->still_ticks + 1 : 0;
    follow->still_ms = seen_ms;
    return follow->still_ticks >= FOLLOW_STILL_MAX;
}

/* The first that was lost may have stood for days, and says nothing of how long the next one takes. */
static void follow_watch_await(struct follow *follow)
{
    uint64_t waited_ms = follow_state_now_ms(follow) - follow->joined_ms;
    unsigned awaits = follow->watches_lost ? follow->watches_lost - 1 : 0;
    if (awaits > FOLLOW_AWAITS)
        awaits = FOLLOW_AWAITS;
    if (waited_ms >= FOLLOW_JOIN_MS) {
        follow->watches_lost++;
        follow_state_abandon_member(follow, STATUS_TIMED_OUT,
                                    &(struct detail){"watch: no answer in time"});
    } else if (waited_ms >= (uint64_t)FOLLOW_AWAIT_MS << awaits) {
        follow_watch_ask_rivals(follow);
    }
}

void follow_watch_tick(struct follow *follow)
{
    uint64_t now_ms = follow_state_now_ms(follow);
    if (follow->state == FOLLOW_JOINING) {
        follow_watch_await(follow);
        return;
    }
    /* Not when it is created: a watch that is lost as soon as it stands would be tried without
     * pauses. */
    if (now_ms - follow->joined_ms >= FOLLOW_STEADY_MS)
        follow->failures = follow->watches_lost = 0;
    if (follow_watch_is_still(follow)) {
        follow_watch_stall(follow, STATUS_TIMED_OUT,
                           &(struct detail){"the watch has stopped amid an event"});
        return;
    }
    /* What another source told while the watch stood inside a line. */
    follow_state_commit(follow);
    if (follow->is_stopped)
        return;
    follow_watch_probe(follow);
    if (follow->needs_check && !follow->check && !follow->probe)
        follow_watch_check(follow);
    if (follow->proof.step != FOLLOW_PROOF_NONE)
        follow_prove_tick(follow);
    else if (!follow->needs_check && follow_prove_is_due(follow))
        follow_prove(follow);
}

/* Whether a store that was restored or filled anew could go unnoticed. Of a small tree that is looked
 * up without a thought, of a large one only if there was the time for it: it is loaded again. */
static bool follow_watch_is_doubtful(const struct follow *follow)
{
    uint64_t unseen_ms = follow_state_now_ms(follow) - follow->last_seen_ms;
    bool is_small = follow_state_is_small(follow);
    /* Filled anew in the same order it may have the newest key at the same revision, and others
     * changed. */
    if (is_small && unseen_ms >= FOLLOW_REFILL_MS)
        return true;
    /* A load does not tell what was deleted last: an older key shows nothing. */
    bool has_newest_key =
        follow->newest_key.key.len > 0 && follow->newest_key.mod_revision >= follow->loaded;
    return !has_newest_key && (is_small || unseen_ms >= FOLLOW_OUTAGE_MS);
}

/* What the member's first words say about its store. False: it must be loaded again. */
static bool follow_watch_accept(struct follow *follow, const struct gateway_reply_header *header)
{
    enum log_level level = LOG_LEVEL_INFO;
    const char *reason = NULL;
    if (header->cluster_id != follow->cluster_id) {
        reason = "another cluster answers";
    } else if (header->revision - follow->revision > FOLLOW_GAP_MAX) {
        reason = "too much has changed to follow";
    } else if (follow->needs_check && follow_watch_is_doubtful(follow)) {
        /* As after most outages: it is no news beside their end. */
        level = LOG_LEVEL_DEBUG;
        reason = "nothing shows that the store is still the same";
    }
    if (reason)
        follow_state_reload_at(follow, level, reason);
    return !reason;
}

static void follow_watch_on_created(void *arg, const struct gateway_reply_header *header)
{
    struct follow *follow = arg;
    if (follow->state == FOLLOW_WATCHING || !follow_watch_accept(follow, header))
        return;
    /* A follower may lag, so its header alone proves nothing: the check reads through the leader.
     */
    if (header->revision < follow->revision || header->raft_term < follow->raft_term)
        follow->needs_check = true;
    else
        follow->raft_term = header->raft_term;
    follow_state_end_rivals(follow);
    follow->state = FOLLOW_WATCHING;
    follow->still_ticks = 0;
    follow->member->watched++;
    follow->joined_ms = follow->last_seen_ms = follow_state_now_ms(follow);
    uv_timer_start(&follow->timer, follow->on_timer, FOLLOW_TICK_MS, FOLLOW_TICK_MS);
    if (follow->needs_check)
        follow_watch_check(follow);
    follow_state_set_live(follow);
}

static void follow_watch_on_put(void *arg, const struct kv *kv)
{
    follow_state_put(arg, kv, LEDGER_FOLLOWED);
}

static void follow_watch_on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    follow_state_remove(arg, key, key_len, revision, LEDGER_FOLLOWED);
}

static void follow_watch_on_batch_end(void *arg, int64_t revision)
{
    struct follow *follow = arg;
    follow->last_seen_ms = follow_state_now_ms(follow);
    follow_state_end_line(follow, LEDGER_FOLLOWED, revision);
}

static void follow_watch_on_lost(void *arg, enum status status, const struct detail *why)
{
    struct follow *follow = arg;
    follow->watch = NULL;
    follow->watches_lost++;
    if (status == STATUS_COMPACTED)
        follow_state_reload(follow, why->text);
    else if (status == STATUS_BAD_REPLY || status == STATUS_TOO_LARGE)
        follow_watch_stall(follow, status, why);
    else
        follow_state_abandon_member(follow, status, why);
}

static const struct watch_events follow_watch_events = {
    follow_watch_on_created, follow_watch_on_put, follow_watch_on_remove, follow_watch_on_batch_end,
    follow_watch_on_lost};

void follow_watch_join(struct follow *follow)
{
    struct kv_range range = follow->keys;
    range.revision = follow->revision + 1;
    follow->state = FOLLOW_JOINING;
    follow->joined_ms = follow_state_now_ms(follow);
    uv_timer_start(&follow->timer, follow->on_timer, FOLLOW_TICK_MS, FOLLOW_TICK_MS);
    /* Not NULL: a load has been answered, and members are never removed. */
    follow->member = member_find(&follow->etcd->members, 0, follow_state_now_ms(follow));
    follow->watch_events = &follow_watch_events;
    follow_state_begin_watch(follow, LEDGER_FOLLOWED);
    follow->watch = watch_start(follow->etcd, follow->member, &range, &follow_watch_events, follow);
    if (!follow->watch)
        follow_state_fail(follow, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
}
