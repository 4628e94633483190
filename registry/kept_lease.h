/* registry/kept_lease.h - a lease that is kept alive, for one key or for many.
 *
 * A process that registers a thousand services needs one lease for them, not a thousand: etcd
 * expires at most 1,000 leases a second, and one request a beat keeps them all. Each user has a
 * share, and asks before its beat that the lease be fresh. The first who asks after a while renews
 * it, those who ask meanwhile wait for the same answer, those who ask soon after have it at once.
 * So no timer is needed here, and a lease that nobody uses any more runs out.
 *
 * One that etcd no longer knows is granted anew, under another ID, when it is asked for next.
 *
 * Units: *_s is whole seconds, *_ms milliseconds of the loop's clock. Threads: the loop's. */
#ifndef REGISTRY_KEPT_LEASE_H
#define REGISTRY_KEPT_LEASE_H

#include "registry/etcd/etcd.h"

#include <sys/queue.h>

struct kept_lease;

/* Make one, whose first share asks etcd for it. `etcd` and `loop` must outlive it.
 * OK: *out is to be given to kept_lease_release(), which its shares may outlive. NO_MEMORY. */
MUST_USE enum status kept_lease_new(struct etcd *etcd, uv_loop_t *loop, uint64_t ttl_s,
                                    struct kept_lease **out);
void kept_lease_release(struct kept_lease *lease);

/* OK: share->id says which lease is alive; 0: etcd no longer knows the one there was, and whoever
 * asks again gets another. Else as lease.h, or SYSTEM (no random number): nobody knows. */
typedef void kept_lease_done(void *arg, enum status status, const struct detail *why);

/* The caller's, and must stay where it is. All zero: no share in anything. */
struct kept_lease_share {
    struct kept_lease *lease;
    int64_t id;      /* as its user knows it; 0: none yet, or it is gone */
    int64_t lost_id; /* the one that its user had before; 0: none */
    kept_lease_done *done;
    void *arg;
    LIST_ENTRY(kept_lease_share) node; /* of those that wait */
    bool is_waiting;
};

/* TOO_MANY: it has LEASE_KEYS_MAX shares already. */
MUST_USE enum status kept_lease_join(struct kept_lease *lease, void *arg,
                                     struct kept_lease_share *out);
/* A lease of one's own: a share in a new one that nobody else can join. NO_MEMORY. */
MUST_USE enum status kept_lease_own(struct etcd *etcd, uv_loop_t *loop, uint64_t ttl_s, void *arg,
                                    struct kept_lease_share *out);
/* A share in this lease; NULL: in one of its own; ttl_s 0: in nothing. As the two above. */
MUST_USE enum status kept_lease_enter(struct kept_lease *lease, struct etcd *etcd, uv_loop_t *loop,
                                      uint64_t ttl_s, void *arg, struct kept_lease_share *out);
/* Give the share up; `done` is not called any more. */
void kept_lease_leave(struct kept_lease_share *share);

/* See to it that the lease is alive, and will be at the user's next beat, beat_ms from now. `done`
 * is called once, perhaps before this returns. One call at a time. */
void kept_lease_renew(struct kept_lease_share *share, uint64_t beat_ms, kept_lease_done *done);

/* The user's beat takes long: renew a lease that is due, so that it outlives the beat. Of many users
 * all may wait for etcd at once, and none begin another beat. Nothing for a share in nothing.
 * may_come_late: a write under the lease was sent and not answered, and may be carried out after all
 * else; only a lease that is gone refuses it. So it is to be revoked after all. */
void kept_lease_keep(struct kept_lease_share *share, uint64_t beat_ms, bool may_come_late);

/* `done` is not called any more. */
void kept_lease_cancel(struct kept_lease_share *share);

/* Etcd has said elsewhere that the lease of this share is gone. */
void kept_lease_lose(struct kept_lease_share *share);

/* Whether it is the lease that the user knows, or the one before: an entry may still stand under
 * that. 0 is the one of a share that has none now. */
bool kept_lease_has_been(const struct kept_lease_share *share, int64_t id);

/* A key was written under the lease with this ID, if it is the share's: do not revoke it. It would
 * take along what others have put there; and a key that was deleted on purpose is told from one
 * that expired by its lease, which lives. A share in nothing: nothing. */
void kept_lease_spare(struct kept_lease_share *share, int64_t id);
/* No write of this share that may come late is to be feared any more, as another's key stands under
 * the lease: it is not revoked for its sake. */
void kept_lease_trust(struct kept_lease_share *share);
/* Give the lease back where no other share is left and nothing was written under it. `done` is
 * called once, perhaps before this returns, with OK whatever became of it: a lease runs out. */
void kept_lease_revoke(struct kept_lease_share *share, kept_lease_done *done);

#endif
