/* A follow has one timer, whose turn does what is due: load, if what is held cannot be gone on
 * with; knock, if the cluster has failed more than once; else join a watch; and while one stands,
 * look after it four times a second. Every failure takes the same way back there: all that is under
 * way is halted, what has to be done again is noted (needs_load, needs_check) and the timer is set.
 * So no part has to undo what another has begun, and nothing of before reports later.
 *
 * Loads and watches meet at revisions: a load is the store as of one, the watch begins at the next,
 * so that nothing is missed and nothing comes twice, whichever member serves either. */
#include "follow.h"

#include "follow_state.h"

#include <stdlib.h>
#include <string.h>

/* Keys of a load between two commits: of a large tree the first are served while the last are
 * read. */
#define FOLLOW_SLICE           4096
#define FOLLOW_LOAD_TIMEOUT_MS 10000 /* without progress, */
#define FOLLOW_LOAD_DOUBLINGS  3     /* and twice as long after each load that took too long */
#define FOLLOW_LOST_MAX        3     /* in vain, before what cannot be followed is loaded */
#define FOLLOW_KEY_MAX         (2U << 20)
#define FOLLOW_PROOF_MS        30000
#define FOLLOW_READ_MAX        20000

void follow_load_again(struct follow *follow, const char *reason)
{
    follow_state_reload(follow, reason);
}

/* Not before there is something to tell: an etcd that is away is asked again and again. The newest
 * key may be of a store that is no more; from now on it is one of this load. */
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
    /* Each callback may stop the follow; its memory stays until the loop's next turn. */
    if (follow->is_stopped)
        return false;
    follow->last_seen_ms = follow_state_now_ms(follow);
    follow_state_note_put(follow, kv);
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
    follow->revision = follow->told = follow->loaded = follow->newest = result->revision;
    follow->raft_term = result->raft_term;
    follow->cluster_id = result->cluster_id;
    follow->last_seen_ms = follow_state_now_ms(follow);
    ledger_reset(&follow->ledger, result->revision);
    follow->facts.loads++;
    /* It was asked for then, so its revision is none of before. */
    follow->facts.proven_ms = follow->load_began_ms;
    follow->proving.failures = follow->proving.doubts = 0;
    follow->proving.counted = result->revision;
    follow->proving.done_ms = follow_state_now_ms(follow);
    follow->proving.due_ms = follow->proving.done_ms + follow->proving.every_ms;
}

static void follow_on_load_done(void *arg, enum status status, const struct kv_range_result *result,
                                const struct detail *why)
{
    struct follow *follow = arg;
    follow->load = NULL;
    /* Its revision went while it was read: no outage, unless that goes on. */
    if (status == STATUS_COMPACTED && follow->failures == 0) {
        follow->failures++;
        follow_state_pause(follow, 0);
        return;
    }
    if (status != STATUS_OK) {
        follow->loads_late += status == STATUS_TIMED_OUT;
        follow_state_fail(follow, status, why);
        return;
    }
    follow_begin_load(follow);
    if (follow->is_stopped)
        return;
    follow->loads_late = 0;
    follow_take_load(follow, result);
    follow->events.load_end(follow->arg, follow->revision);
    if (!follow->is_stopped)
        follow->events.commit(follow->arg, follow->revision);
    if (!follow->is_stopped)
        follow_state_pause(follow, 0);
}

static void follow_load(struct follow *follow)
{
    struct kv_range range = follow->keys;
    unsigned doublings = follow->loads_late;
    /* etcd makes up a whole page before its first octet: one that is slow, as it is when a million
     * keys and a busy machine come together, would else be asked again and again, and slower for
     * it. */
    if (doublings > FOLLOW_LOAD_DOUBLINGS)
        doublings = FOLLOW_LOAD_DOUBLINGS;
    range.timeout_ms = follow->load_timeout_ms << doublings;
    follow->state = FOLLOW_LOADING;
    follow->slice = 0;
    follow->load_began_ms = follow_state_now_ms(follow);
    follow->has_begun = false;
    follow->load =
        range_start(follow->etcd, &range, NULL, follow_on_load_kv, follow_on_load_done, follow);
    if (!follow->load)
        follow_state_fail(follow, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
}

static void follow_on_knock(void *arg, enum status status, const struct kv_range_result *result,
                            const struct detail *why)
{
    struct follow *follow = arg;
    (void)result;
    follow->probe = NULL;
    if (status != STATUS_OK) {
        follow_state_fail(follow, status, why);
        return;
    }
    /* Reads are answered, but nothing can be followed: then all is loaded instead, no more often
     * than a watch would be proven. */
    uint64_t age_ms = follow_state_now_ms(follow) - follow->proving.done_ms;
    bool is_blind = follow->watches_lost >= FOLLOW_LOST_MAX && age_ms >= follow->proving.every_ms;
    if (follow->needs_load || is_blind)
        follow_load(follow);
    else
        follow_watch_join(follow);
}

/* A watch is tried on one member, which may be one that is away; a read goes round all of them. The
 * one that answers it is the first that member_find() names, so the watch is tried there. */
static void follow_knock(struct follow *follow)
{
    follow->state = FOLLOW_KNOCKING;
    follow->probe = follow_state_ask(follow, NULL, 0, follow_on_knock, follow);
    if (!follow->probe)
        follow_state_fail(follow, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
}

static void follow_on_timer(uv_timer_t *timer)
{
    struct follow *follow = timer->data;
    if (follow->state == FOLLOW_WATCHING || follow->state == FOLLOW_JOINING)
        follow_watch_tick(follow);
    else if (follow->needs_load && follow->loads_late == 0)
        follow_load(follow);
    else if (follow->failures > 1 || follow->loads_late > 0) /* a load waits long for its member */
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
    follow->keys = (struct kv_range){.key = follow->prefix.text,
                                     .key_len = follow->prefix.len,
                                     .end = follow->end.text,
                                     .end_len = follow->end.len};
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
    follow->load_timeout_ms = FOLLOW_LOAD_TIMEOUT_MS;
    follow->proving.every_ms = FOLLOW_PROOF_MS;
    follow->proving.read_max = FOLLOW_READ_MAX;
    follow_set_range(follow, prefix, prefix_len);
    buffer_init(&follow->newest_key.key, FOLLOW_KEY_MAX);
    uv_timer_init(etcd->loop, &follow->timer);
    follow->timer.data = follow;
    follow->on_timer = follow_on_timer;
    follow_state_pause(follow, 0); /* no callback before this has returned */
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
    follow_state_halt(follow);
    uv_close((uv_handle_t *)&follow->timer, follow_free);
}

uint64_t follow_last_seen_ms(const struct follow *follow)
{
    uint64_t watch_ms = follow->watch ? watch_last_seen_ms(follow->watch) : 0;
    return watch_ms > follow->last_seen_ms ? watch_ms : follow->last_seen_ms;
}

uint64_t follow_cluster_id(const struct follow *follow)
{
    return follow->cluster_id;
}

void follow_count(const struct follow *follow, struct follow_counts *out)
{
    *out = follow->facts;
    out->newest = follow->newest;
    out->proven = follow->ledger.proven;
}

size_t follow_members(const struct follow *follow, struct follow_member *out)
{
    const struct member_set *members = &follow->etcd->members;
    for (size_t i = 0; i < members->count; i++) {
        const struct member *member = &members->list[i];
        out[i] = (struct follow_member){.name = strstr(member->endpoint.url, "://") + 3,
                                        .watches = member->watched,
                                        .failures = member->failed,
                                        .is_watched = follow->state == FOLLOW_WATCHING &&
                                                      follow->member == member};
    }
    return members->count;
}

enum status follow_lost_status(const struct follow *follow)
{
    return follow->lost_status;
}
