/* zones/store/rcu.h - reading without locks what one thread changes: liburcu, in its QSBR flavour.
 *
 * One writer (the control thread) publishes pointers; readers (the workers) load them without
 * locks. A reader is online while it works through a batch; at the batch's end it tells that it
 * holds nothing any more (rcu_quiescent), and it is offline while it waits for packets. What the
 * writer replaces is freed once every reader has been quiescent or offline since: after a grace
 * period.
 *
 * Nothing else of the tree includes liburcu. ThreadSanitizer cannot see its ordering and has to be
 * told, which is done in rcu.c alone.
 *
 * Threads: rcu_reader_start() once in each reader thread before the first read; rcu_reader_stop()
 * at its end. rcu_publish() and rcu_retire() only from the writer. */
#ifndef ZONES_STORE_RCU_H
#define ZONES_STORE_RCU_H

#include <stddef.h>

/* The calling thread becomes a reader, online; and ceases to be one. */
void rcu_reader_start(void);
void rcu_reader_stop(void);
/* Leave and enter the reading state around a wait. Threads start online. */
void rcu_reader_offline(void);
void rcu_reader_online(void);
/* Between two batches: nothing read before is held any more. */
void rcu_quiescent(void);

/* Load a published pointer (or any atomic word) in a reader; valid until the next quiescent state.
 */
#define rcu_read(p) __atomic_load_n(&(p), __ATOMIC_CONSUME)
/* Make what `value` points at visible to readers. */
#define rcu_publish(p, value) __atomic_store_n(&(p), (value), __ATOMIC_RELEASE)

/* Memory that readers may still see is collected by the writer during a change:
 * free() `memory` (may be NULL) after the next grace period that begins at or after the next
 * rcu_collect(); little of it is freed with a later rcu_collect() only. Never fails: without memory
 * for the list it is lost. */
void rcu_retire(void *memory);
/* Start the grace period for everything retired so far. Does not block. Amid a change there is
 * something retired that is published still: only zone_commit() may call this, when all of it
 * is done.
 */
void rcu_collect(void);
/* Wait until everything collected has been freed. For the end of a program and tests. */
void rcu_barrier_all(void);

#endif
