/* registry/kv.h - etcd's keys: ranges in pages at one revision, transactions.
 *
 * Every call is asynchronous: it returns at once and calls `done` exactly once, from the loop
 * (never from inside the call itself), or with CANCELLED from etcd_close(). All inputs are copied
 * before the call returns. `why` in a callback is never NULL and is borrowed for the call.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_KV_H
#define REGISTRY_KV_H

#include "etcd.h"
#include "kv_facts.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

/* Stream a range: `each` is called for every key in key order as the reply arrives (memory is
 * bounded by the largest key-value), then `done`. `each` returning false stops the range: done gets
 * CANCELLED. When an attempt fails half-way, the range goes on after the last key given, at the
 * same revision. COMPACTED: that revision is gone meanwhile: start again. */
void kv_range(struct etcd *etcd, const struct kv_range *range, kv_each *each, kv_range_done *done,
              void *arg);

enum kv_target { KV_VERSION, KV_MOD_REVISION, KV_CREATE_REVISION, KV_LEASE, KV_VALUE };
enum kv_result { KV_EQUAL, KV_NOT_EQUAL, KV_GREATER, KV_LESS };
struct kv_compare {
    const char *key;
    size_t key_len;
    enum kv_target target;
    enum kv_result result;
    int64_t number;    /* all targets but KV_VALUE */
    const char *value; /* KV_VALUE */
    size_t value_len;
};

enum kv_op_kind { KV_PUT, KV_DELETE, KV_GET };
struct kv_op {
    enum kv_op_kind kind;
    const char *key;
    size_t key_len;
    const char *value; /* KV_PUT */
    size_t value_len;
    int64_t lease;   /* KV_PUT; 0 = none */
    const char *end; /* KV_DELETE, KV_GET: a range; NULL = one key */
    size_t end_len;
    bool keys_only; /* KV_GET: without the values */
};

#define KV_TXN_MAX 128 /* compares, and operations of each branch: etcd's default limit */

struct kv_txn {
    const struct kv_compare *compares;
    size_t compare_count;
    const struct kv_op *success, *failure;
    size_t success_count, failure_count;
    bool is_idempotent;  /* may be sent again when the outcome of an attempt is unknown */
    uint32_t timeout_ms; /* 0 = the client's */
};

/* One entry per operation of the branch taken. */
struct kv_op_result {
    uint64_t deleted;     /* KV_DELETE */
    const struct kv *kvs; /* KV_GET */
    size_t kv_count;
};

struct kv_txn_result {
    bool succeeded; /* the compares held: `success` was done, else `failure` */
    int64_t revision;
    const struct kv_op_result *ops;
    size_t op_count;
};

/* TOO_MANY: more operations than etcd's --max-txn-ops; TOO_LARGE: longer than it takes (either way
 * nothing was done). REFUSED: a key twice. NOT_FOUND: a lease named by a put is gone (nothing
 * was done). NO_SPACE, DENIED, UNREACHABLE, TIMED_OUT (the outcome is unknown unless idempotent).
 */
typedef void kv_txn_done(void *arg, enum status status, const struct kv_txn_result *result,
                         const struct detail *why);
void kv_txn(struct etcd *etcd, const struct kv_txn *txn, kv_txn_done *done, void *arg);

#endif
