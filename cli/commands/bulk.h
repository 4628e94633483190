/* cli/commands/bulk.h - write many keys as fast as etcd takes them.
 *
 * They share leases as shared_lease.h says, and go out in transactions of KV_TXN_MAX puts, or as
 * many as etcd takes; several are under way at the same time, so their order is not kept.
 *
 * Each key is written only where it still is as it was seen: put.h says why.
 *
 * Memory: a few transactions, and some octets for each TTL.
 *
 * Threads: as session.h. */
#ifndef CLI_COMMANDS_BULK_H
#define CLI_COMMANDS_BULK_H

#include "cli/args/session.h"

struct bulk;

/* Something that was under way has ended. Not from inside bulk_free(). */
typedef void bulk_moved(void *arg);

/* NO_MEMORY. Free it after session_disconnect(). */
MUST_USE enum status bulk_new(struct session *session, bulk_moved *moved, void *arg,
                              struct bulk **out);
void bulk_free(struct bulk *bulk);

/* One more; all is copied. ttl_s 0: without a lease. Not OK: bulk_status(). */
MUST_USE enum status bulk_add(struct bulk *bulk, const struct kv_key *key, const char *value,
                              size_t value_len, uint64_t ttl_s);

/* Send what waits for its transaction to fill up since before this moment (of uv_now()). */
void bulk_flush(struct bulk *bulk, uint64_t before_ms);

/* Whether as much is under way as is good: add the next ones when something has moved. */
bool bulk_is_full(const struct bulk *bulk);
/* Whether nothing is under way. */
bool bulk_is_idle(const struct bulk *bulk);
/* Keys that etcd has accepted. */
uint64_t bulk_written(const struct bulk *bulk);
/* Keys of which nobody knows whether they were written. */
uint64_t bulk_unsure(const struct bulk *bulk);
/* What went wrong first; then nothing more is sent. */
enum status bulk_status(const struct bulk *bulk, struct detail *why);

#endif
