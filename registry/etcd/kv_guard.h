/* registry/etcd/kv_guard.h - change a key only where it is still as it was read.
 *
 * An attempt that was given up may still be on its way, in a relay or a queue, and be done long
 * after its repetition. A change that is made only where the key has the revision at which it was
 * read finds another one then. So it may be sent again, and whoever changes nothing but so never
 * undoes what came later.
 *
 * Threads: pure. */
#ifndef REGISTRY_ETCD_KV_GUARD_H
#define REGISTRY_ETCD_KV_GUARD_H

#include "kv_types.h"

/* Here, for the transaction points into it. */
struct kv_guard {
    struct kv_compare unchanged;
    struct kv_op get;
    struct kv_txn txn; /* is_idempotent; change that, and the time limit, at will */
};

/* A transaction that does `op` (NULL: nothing) where the key still has this revision (0: is not
 * there), and else says what is there. key and op are borrowed. */
void kv_guard_init(struct kv_guard *guard, const char *key, size_t key_len, int64_t seen_revision,
                   const struct kv_op *op);

/* What is there instead; NULL: nothing, or the transaction succeeded. Borrowed from the result. */
const struct kv *kv_guard_found(const struct kv_txn_result *result);

#endif
