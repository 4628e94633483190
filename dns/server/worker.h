/* dns/server/worker.h - one thread, its event loop and its own sockets: shares nothing that it
 * writes.
 *
 * Calls in order: worker_new(), worker_add() for each address, worker_start(), worker_stop(),
 * worker_free(). All from the server's thread; worker_free() may follow any of them.
 *
 * (A loop of our own on epoll would save libuv's bookkeeping: 0.2 us of the 5 that a wake-up for a
 * single query costs, nothing that can be measured of a batch.) */
#ifndef DNS_SERVER_WORKER_H
#define DNS_SERVER_WORKER_H

#include "batch.h"
#include "rate_limit.h"
#include "tcp.h"

struct worker;

/* What all workers have in common; everything pointed at must outlive them. */
struct worker_shared {
    const struct zone *zone;
    const struct acl *allow;          /* NULL = any */
    const struct acl *allow_transfer; /* NULL = nobody */
    struct rate_limit *limit;         /* NULL = none */
    struct tcp_share tcp_share;
    unsigned tcp_idle_ms;
    const struct batch_env *published; /* by rcu_publish() */
};

/* index tells the workers apart. NO_MEMORY. */
MUST_USE enum status worker_new(struct worker_shared *shared, unsigned index, struct worker **out);

/* Take over a pair of bound sockets, at most TCP_LISTENERS_MAX. is_wildcard: replies need their
 * source address set. */
void worker_add(struct worker *worker, int udp_fd, int tcp_fd, bool is_wildcard);

/* Start the thread. SYSTEM, NO_MEMORY. */
MUST_USE enum status worker_start(struct worker *worker, struct detail *why);

/* Ask it to stop accepting, answer what has been received, and end. Does not wait. */
void worker_stop(struct worker *worker);

/* Its own; to be read as counters.h says. */
const struct counters *worker_counters(const struct worker *worker);

/* Stop and wait if it runs, then close and free everything. NULL is accepted. */
void worker_free(struct worker *worker);

#endif
