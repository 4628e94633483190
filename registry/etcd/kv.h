/* registry/etcd/kv.h - etcd's keys: ranges in pages at one revision, transactions.
 *
 * Every call is asynchronous: it returns at once and calls `done` exactly once, from the loop or
 * with CANCELLED from etcd_close(); from inside the call itself only when there is no memory for
 * it, or the client is closing. All inputs are copied before the call returns. `why` in a callback
 * is never NULL and is borrowed for the call.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_KV_H
#define REGISTRY_ETCD_KV_H

#include "etcd.h"
#include "kv_types.h"

/* Stream a range: `each` is called for every key in key order as the reply arrives (memory is
 * bounded by the largest key-value), then `done`. `each` returning false stops the range: done gets
 * CANCELLED. When an attempt fails half-way, the range goes on after the last key given, at the
 * same revision. COMPACTED: that revision is gone meanwhile: start again. */
void kv_range(struct etcd *etcd, const struct kv_range *range, kv_each *each, kv_range_done *done,
              void *arg);

/* TOO_MANY: more operations than etcd's --max-txn-ops or KV_TXN_MAX; TOO_LARGE: longer than it takes
 * (either way nothing was done). REFUSED: a key twice. NOT_FOUND: a lease named by a put is gone
 * (nothing was done). NO_SPACE, DENIED, UNREACHABLE, TIMED_OUT (the outcome is unknown unless
 * idempotent). */
typedef void kv_txn_done(void *arg, enum status status, const struct kv_txn_result *result,
                         const struct detail *why);
void kv_txn(struct etcd *etcd, const struct kv_txn *txn, kv_txn_done *done, void *arg);

/* The end of the range of all keys that begin with the prefix: its last octet plus one (0xff octets
 * dropped); "\0" (etcd's "to the end") for an empty prefix. len <= KV_KEY_MAX. */
void kv_prefix_end(const char *prefix, size_t len, struct kv_key *out);

/* Change a key only where it is still as it was read. An attempt that was given up may still be on
 * its way, in a relay or a queue, and be done long after its repetition. A change that is made only
 * where the key has the revision at which it was read finds another one then. So it may be sent
 * again, and whoever changes nothing but so never undoes what came later.
 *
 * A struct of its own, for the transaction points into it. Threads: pure. */
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

/* kv_range() for callers that may change their mind. */
struct member;
struct range;

/* As kv_range(). `pin`: ask this member only, once; NULL = any. NULL: no memory, or the client is
 * closing; nothing will be called. */
struct range *range_start(struct etcd *etcd, const struct kv_range *range, struct member *pin,
                          kv_each *each, kv_range_done *done, void *arg);

/* Nothing is called any more. Not after `done`; from inside `each` it is allowed. */
void range_cancel(struct range *range);

#endif
