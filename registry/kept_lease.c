#include "kept_lease.h"

#include "lease_id.h"
#include "registry/etcd/lease.h"

#include <stdlib.h>

#define MS_PER_S 1000

struct kept_lease {
    struct etcd *etcd;
    uv_loop_t *loop;
    uint64_t ttl_s;
    int64_t id;         /* 0: none yet, or it is gone */
    int64_t asked_id;   /* that was asked for, and may be there: the answer was lost; 0: none */
    int64_t renewed_id; /* that the request under way is to renew; 0: it grants one */
    uint64_t renewed_ms;
    unsigned shares, refs; /* refs: the shares, the maker and the request under way */
    LIST_HEAD(kept_lease_shares, kept_lease_share) waiting; /* for the request under way */
    bool is_busy;                                           /* there is one */
    bool is_spared, is_doubtful; /* kept_lease_spare(), kept_lease_keep() */
};

enum status kept_lease_new(struct etcd *etcd, uv_loop_t *loop, uint64_t ttl_s,
                           struct kept_lease **out)
{
    struct kept_lease *lease = calloc(1, sizeof(*lease));
    if (!lease)
        return STATUS_NO_MEMORY;
    *lease = (struct kept_lease){.etcd = etcd, .loop = loop, .ttl_s = ttl_s, .refs = 1};
    *out = lease;
    return STATUS_OK;
}

void kept_lease_release(struct kept_lease *lease)
{
    if (--lease->refs == 0)
        free(lease);
}

enum status kept_lease_join(struct kept_lease *lease, void *arg, struct kept_lease_share *out)
{
    if (lease->shares == LEASE_KEYS_MAX)
        return STATUS_TOO_MANY;
    lease->shares++;
    lease->refs++;
    *out = (struct kept_lease_share){.lease = lease, .arg = arg};
    return STATUS_OK;
}

enum status kept_lease_own(struct etcd *etcd, uv_loop_t *loop, uint64_t ttl_s, void *arg,
                           struct kept_lease_share *out)
{
    struct kept_lease *lease;
    enum status status = kept_lease_new(etcd, loop, ttl_s, &lease);
    if (status != STATUS_OK)
        return status;
    /* From here on the share alone holds it. */
    status = kept_lease_join(lease, arg, out);
    kept_lease_release(lease);
    return status;
}

enum status kept_lease_enter(struct kept_lease *lease, struct etcd *etcd, uv_loop_t *loop,
                             uint64_t ttl_s, void *arg, struct kept_lease_share *out)
{
    if (lease)
        return kept_lease_join(lease, arg, out);
    return ttl_s > 0 ? kept_lease_own(etcd, loop, ttl_s, arg, out) : STATUS_OK;
}

void kept_lease_leave(struct kept_lease_share *share)
{
    if (!share->lease)
        return;
    kept_lease_cancel(share);
    share->lease->shares--;
    kept_lease_release(share->lease);
    share->lease = NULL;
}

static void kept_lease_wait(struct kept_lease_share *share, kept_lease_done *done)
{
    struct kept_lease *lease = share->lease;
    share->done = done;
    share->is_waiting = true;
    LIST_INSERT_HEAD(&lease->waiting, share, node);
}

void kept_lease_cancel(struct kept_lease_share *share)
{
    if (share->is_waiting)
        LIST_REMOVE(share, node);
    share->is_waiting = false;
}

/* What the user knows from now on. Its entry may still stand under the lease that was lost: that
 * one counts as its own, too. */
static void kept_lease_show(struct kept_lease_share *share)
{
    int64_t id = share->lease->id;
    if (share->id != 0 && share->id != id)
        share->lost_id = share->id;
    share->id = id;
}

/* The client cannot take a request back, so the lease outlives it: its answer comes, from
 * etcd_close() at the latest. */
static void kept_lease_begin(struct kept_lease *lease)
{
    lease->is_busy = true;
    lease->refs++;
}

/* Answer all who wait. One who waits again at once does so for the next request, and any may leave.
 */
static void kept_lease_end(struct kept_lease *lease, enum status status, const struct detail *why)
{
    struct kept_lease_shares answered = lease->waiting;
    struct kept_lease_share *share = LIST_FIRST(&answered);
    LIST_INIT(&lease->waiting);
    lease->is_busy = false;
    if (share)
        share->node.le_prev = &LIST_FIRST(&answered); /* sys/queue.h has no move of a list */
    while ((share = LIST_FIRST(&answered))) {
        kept_lease_cancel(share);
        /* After a failure nobody knows: the ID that the user has may be good still. */
        if (status == STATUS_OK)
            kept_lease_show(share);
        share->done(share->arg, status, why);
    }
    kept_lease_release(lease);
}

/* That the lease is gone is an answer and no failure: OK with ID 0. */
static void kept_lease_on_renewed(void *arg, const struct lease_result *result)
{
    struct kept_lease *lease = arg;
    enum status status = result->status;
    bool is_granted = status == STATUS_OK && lease->renewed_id == 0;
    if (is_granted)
        lease->asked_id = 0;
    if (is_granted && result->left_s < result->granted_ttl_s) {
        /* It is of an earlier try, and has begun to run out. */
        lease->id = lease->renewed_id = result->id;
        lease_keep_alive(lease->etcd, lease->id, kept_lease_on_renewed, lease);
        return;
    }
    if (status == STATUS_OK) {
        lease->is_spared = lease->is_spared && lease->id == result->id;
        lease->is_doubtful = lease->is_doubtful && lease->id == result->id;
        lease->id = result->id;
        lease->renewed_ms = uv_now(lease->loop);
    } else if (status == STATUS_NOT_FOUND && lease->renewed_id != 0) {
        lease->id = 0;
        status = STATUS_OK;
    }
    kept_lease_end(lease, status, result->why);
}

/* With the ID of the last try, unless that was answered: a lease more for each answer that is lost
 * would stay in etcd for its whole TTL. */
static void kept_lease_grant(struct kept_lease *lease)
{
    struct detail why;
    enum status status = STATUS_OK;
    if (lease->asked_id == 0)
        status = lease_id_new(lease->ttl_s, &lease->asked_id);
    if (status == STATUS_OK)
        lease_grant(lease->etcd, lease->asked_id, lease->ttl_s, kept_lease_on_renewed, lease);
    else
        kept_lease_end(lease, detail_set(&why, status, "no random number for a lease"), &why);
}

/* It was renewed so short ago that it is good for this beat, too. Half of a beat may be saved so,
 * for of many users each beats at another time; but no more than half of what the TTL leaves beyond
 * a beat, lest the lease runs out before the next. */
static bool kept_lease_is_fresh(const struct kept_lease *lease, uint64_t beat_ms)
{
    uint64_t ttl_ms = lease->ttl_s * MS_PER_S;
    uint64_t spare_ms = ttl_ms > beat_ms ? (ttl_ms - beat_ms) / 2 : 0;
    uint64_t max_age_ms = beat_ms / 2 < spare_ms ? beat_ms / 2 : spare_ms;
    return lease->id != 0 && uv_now(lease->loop) - lease->renewed_ms < max_age_ms;
}

static void kept_lease_ask(struct kept_lease *lease)
{
    kept_lease_begin(lease);
    lease->renewed_id = lease->id;
    if (lease->id == 0)
        kept_lease_grant(lease);
    else
        lease_keep_alive(lease->etcd, lease->id, kept_lease_on_renewed, lease);
}

void kept_lease_renew(struct kept_lease_share *share, uint64_t beat_ms, kept_lease_done *done)
{
    struct kept_lease *lease = share->lease;
    if (!lease->is_busy && kept_lease_is_fresh(lease, beat_ms)) {
        kept_lease_show(share);
        done(share->arg, STATUS_OK, &(struct detail){""});
        return;
    }
    kept_lease_wait(share, done);
    if (!lease->is_busy)
        kept_lease_ask(lease);
}

void kept_lease_keep(struct kept_lease_share *share, uint64_t beat_ms, bool may_come_late)
{
    struct kept_lease *lease = share->lease;
    if (lease && may_come_late)
        lease->is_doubtful = true;
    if (lease && lease->id != 0 && !lease->is_busy && !kept_lease_is_fresh(lease, beat_ms))
        kept_lease_ask(lease);
}

/* Another share may have learnt it before, and a new lease may be there: that one is not lost. */
void kept_lease_lose(struct kept_lease_share *share)
{
    if (share->lease->id == share->id)
        share->lease->id = 0;
    kept_lease_show(share);
}

bool kept_lease_has_been(const struct kept_lease_share *share, int64_t id)
{
    return id == share->id || (share->lost_id != 0 && id == share->lost_id);
}

void kept_lease_spare(struct kept_lease_share *share, int64_t id)
{
    if (share->lease && share->id == id)
        share->lease->is_spared = true;
}

void kept_lease_trust(struct kept_lease_share *share)
{
    if (share->lease)
        share->lease->is_doubtful = false;
}

static void kept_lease_on_revoked(void *arg, const struct lease_result *result)
{
    struct kept_lease *lease = arg;
    (void)result;
    lease->id = 0;
    kept_lease_end(lease, STATUS_OK, &(struct detail){""});
}

void kept_lease_revoke(struct kept_lease_share *share, kept_lease_done *done)
{
    struct kept_lease *lease = share->lease;
    /* A request under way is one that nobody waits for, as a share does that has left. It may be
     * granting the lease just now; waiting for that is not worth it, as a lease without keys runs out
     * by itself. */
    bool is_last = lease->shares == 1 && !lease->is_busy;
    if (!is_last || lease->id == 0 || (lease->is_spared && !lease->is_doubtful)) {
        done(share->arg, STATUS_OK, &(struct detail){""});
        return;
    }
    kept_lease_wait(share, done);
    kept_lease_begin(lease);
    lease_revoke(lease->etcd, lease->id, kept_lease_on_revoked, lease);
}
