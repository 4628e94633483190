/* zones/store/rcu.h - reading without locks what one thread changes: liburcu, in its QSBR flavour.
 *
 * One writer (the control thread) publishes pointers; readers (the workers) load them. A reader is
 * online while it answers a batch, announces a quiescent state at its end (rcu_quiescent(): it
 * holds no pointer any more), and is offline while it waits for packets. What the writer replaces
 * is retired, and freed after a grace period: once every reader has been quiescent or offline.
 *
 * Only rcu.c includes liburcu, and only there is ThreadSanitizer, which cannot see liburcu's
 * ordering, told of it.
 *
 * Threads: rcu_reader_start() once in each reader thread before the first read; rcu_reader_stop()
 * at its end. rcu_publish() and rcu_retire() only from the writer. */
#ifndef ZONES_STORE_RCU_H
#define ZONES_STORE_RCU_H

#include <stddef.h>

/* Make the calling thread a reader, online; and end that. */
void rcu_reader_start(void);
void rcu_reader_stop(void);
/* Go offline before a wait, during which the reader holds up no grace period, and online after. */
void rcu_reader_offline(void);
void rcu_reader_online(void);
/* Between two batches: nothing read before is held any more. */
void rcu_quiescent(void);

/* Load a published pointer (or any atomic word) in a reader; valid until the next quiescent state.
 */
#define rcu_read(p) __atomic_load_n(&(p), __ATOMIC_CONSUME)
/* Make what `value` points at visible to readers. */
#define rcu_publish(p, value) __atomic_store_n(&(p), (value), __ATOMIC_RELEASE)

/* free() `memory`, which readers may still see, after a grace period that begins with the next
 * rcu_collect(), or later: small amounts are freed by the rcu_collect() after that. NULL is
 * accepted. Never fails: when there is no memory to note it in, room is taken that earlier commits
 * have kept, for 3,840; beyond those it leaks. */
void rcu_retire(void *memory);
/* Start a grace period for everything retired so far. Does not block. In the middle of a change
 * some of that is still published, so only zone_commit() may call this, at its end. */
void rcu_collect(void);
/* Wait until no reader holds anything any more that it read before: as long as a batch takes. */
void rcu_wait(void);
/* Wait until everything collected has been freed. For the end of a program and tests. */
void rcu_barrier_all(void);

#endif
