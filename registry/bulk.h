/* registry/bulk.h - write many keys as fast as etcd takes them.
 *
 * They share leases as shared_lease.h says, and go out in transactions of KV_TXN_MAX puts, or as
 * many as etcd takes; several are under way at the same time, so their order is not kept.
 *
 * An attempt that was given up may still be on its way, in a relay or a queue, and be done long
 * after its repetition. So each key is written only where it still has the revision at which it was
 * seen: what comes late finds another one.
 *
 * Memory: a few transactions, and some octets for each TTL.
 *
 * Units: *_s is whole seconds, *_ms the milliseconds of uv_now().
 * Threads: as etcd.h. */
#ifndef REGISTRY_BULK_H
#define REGISTRY_BULK_H

#include "key.h"
#include "registry/etcd/etcd.h"

struct bulk;

/* Something that was under way has ended. Not from inside bulk_free(). */
typedef void bulk_progress(void *arg);

/* `loop` is the client's, for its clock. NO_MEMORY. */
MUST_USE enum status bulk_new(struct etcd *etcd, uv_loop_t *loop, bulk_progress *on_progress,
                              void *arg, struct bulk **out);
/* After etcd_close(). NULL: nothing. */
void bulk_free(struct bulk *bulk);

/* One more; all is copied. ttl_s 0: without a lease. Does not block. Not OK: bulk_status(). */
MUST_USE enum status bulk_add(struct bulk *bulk, const struct kv_key *key, const char *value,
                              size_t value_len, uint64_t ttl_s);

/* Send what waits for its transaction to fill up since before this moment. */
void bulk_flush(struct bulk *bulk, uint64_t before_ms);

/* Whether as much is under way as is good: add the next ones when there was progress. */
bool bulk_is_full(const struct bulk *bulk);
/* Whether nothing is under way. */
bool bulk_is_idle(const struct bulk *bulk);
/* Keys that etcd has accepted. */
uint64_t bulk_written(const struct bulk *bulk);
/* Keys of which nobody knows whether they were written. */
uint64_t bulk_unsure(const struct bulk *bulk);
/* What went wrong first; then nothing more is sent. NOT_FOUND: a lease expired before its keys were
 * written. CONFLICT: others change the same keys all the time. SYSTEM: there are no random numbers.
 * Others as kv.h and lease.h say. *why is set unless OK. */
enum status bulk_status(const struct bulk *bulk, struct detail *why);

#endif
