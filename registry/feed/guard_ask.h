/* registry/feed/guard_ask.h - what became of the leases of those that have gone.
 *
 * A deletion looks the same whether somebody made it or the lease was over. But a lease that is over
 * is unknown to etcd, and one whose key was deleted is not, for a while at least. So each lease is
 * asked for, once for all who wait for it and a few at a time. What gets no answer counts as over: an
 * etcd in trouble is what the guard is for.
 *
 * An answer says nothing about what went after it was asked for: for those it is asked again.
 *
 * Units: *_ms is milliseconds of one clock, which is passed in. Threads: the loop's. */
#ifndef REGISTRY_FEED_GUARD_ASK_H
#define REGISTRY_FEED_GUARD_ASK_H

#include "registry/etcd/lease.h"

#include <sys/queue.h>

#define GUARD_ASK_MAX        16   /* requests at a time */
#define GUARD_ASK_TIMEOUT_MS 5000 /* without any answer; then what waits gets none */

struct guard_ask;
struct guard_lease;

/* The caller's, and must stay where it is while it waits. All zero: it does not. */
struct guard_waiter {
    LIST_ENTRY(guard_waiter) node;
    struct guard_lease *lease; /* NULL: it does not wait */
    bool is_late;              /* it came when the question was under way */
};

struct guard_ask_events {
    /* It waits no more. The waiter may be freed, and none may be added in here. */
    void (*answer)(void *arg, struct guard_waiter *waiter, bool is_alive);
    /* All who waited for a lease have been told. The same. */
    void (*answered)(void *arg);
};

/* `etcd` must outlive it, and what is under way ends no earlier than with etcd_close().
 * OK: *out is to be given to guard_ask_free(). NO_MEMORY, SYSTEM (no randomness). */
MUST_USE enum status guard_ask_new(struct etcd *etcd, const struct guard_ask_events *events,
                                   void *arg, struct guard_ask **out);
/* Nothing is called any more. NULL: nothing. */
void guard_ask_free(struct guard_ask *ask);

/* Wait for what became of a lease; guard_ask_run() asks. NO_MEMORY: it does not wait. */
MUST_USE enum status guard_ask_add(struct guard_ask *ask, int64_t lease, uint64_t now_ms,
                                   struct guard_waiter *waiter);
/* It waits no more, if it did. */
void guard_ask_cancel(struct guard_waiter *waiter);

/* Ask as much as may be under way, and give up what is overdue. To be called after guard_ask_add(),
 * and each second or so as long as somebody waits. */
void guard_ask_run(struct guard_ask *ask, uint64_t now_ms);

#endif
