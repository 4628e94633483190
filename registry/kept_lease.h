/* registry/kept_lease.h - a lease that is kept alive, for one key or for many.
 *
 * A process that registers a thousand services needs one lease for them, not a thousand: etcd
 * expires at most 1,000 leases a second, and a request a beat keeps them all. Whoever uses the
 * lease asks before its beat that it be fresh; the first who asks after a while renews it, those
 * who ask meanwhile wait for the same answer, and those who ask soon after have it at once. So no
 * timer is needed here, and a lease that nobody uses any more runs out.
 *
 * One that etcd no longer knows is granted anew, under another ID, when it is asked for next.
 *
 * Units: *_s is whole seconds, *_ms milliseconds of the loop's clock.
 * Threads: the loop's. */
#ifndef REGISTRY_KEPT_LEASE_H
#define REGISTRY_KEPT_LEASE_H

#include "registry/base/status.h"
#include "registry/etcd/etcd.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct kept_lease;

/* OK: the lease is alive, under this ID. With ID 0: etcd no longer knows the one there was; whoever
 * asks again gets another. Other statuses as lease.h, or SYSTEM (no random number): nobody knows.
 */
typedef void kept_lease_done(void *arg, enum status status, int64_t id, const struct detail *why);

/* One who waits for an answer. It is the caller's, and must stay where it is meanwhile. All zero:
 * waits for none. */
struct kept_lease_waiter {
    kept_lease_done *done;
    void *arg;
    struct kept_lease_waiter *next, **link; /* kept_lease.c's; link NULL: it waits for nothing */
};

/* Make one, with one user. Nothing is asked of etcd before kept_lease_renew(). `etcd` and `loop`
 * must outlive it.
 * OK: *out is to be given to kept_lease_release(). NO_MEMORY. */
MUST_USE enum status kept_lease_new(struct etcd *etcd, uv_loop_t *loop, uint64_t ttl_s,
                                    struct kept_lease **out);

/* One more user. False: it has LEASE_KEYS_MAX already. */
MUST_USE bool kept_lease_use(struct kept_lease *lease);
/* One user less; the last one's frees it (NULL: nothing). It may be called from a callback. */
void kept_lease_release(struct kept_lease *lease);

/* See to it that the lease was granted or renewed at most max_age_ms ago, and say so: waiter->done
 * is called once, perhaps before this returns. A waiter waits once at a time. */
void kept_lease_renew(struct kept_lease *lease, uint64_t max_age_ms,
                      struct kept_lease_waiter *waiter);
/* It is not called any more. */
void kept_lease_cancel(struct kept_lease_waiter *waiter);

/* Someone has heard from etcd that the lease with this ID is gone. */
void kept_lease_lose(struct kept_lease *lease, int64_t id);

/* The user leaves its key to others who have written it under this lease: it is never revoked. */
void kept_lease_leave_alone(struct kept_lease *lease);
/* Give it back to etcd where this user is the last one, and say when that is over, perhaps before
 * this returns. OK, whatever became of it: what cannot be revoked runs out. */
void kept_lease_revoke(struct kept_lease *lease, struct kept_lease_waiter *waiter);

#endif
