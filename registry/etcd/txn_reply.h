/* registry/etcd/txn_reply.h - the reply to a transaction, held against what was asked.
 *
 * A reply that makes no sense must not be taken for one: whoever believes that its entry is not
 * there writes it, and whoever believes that it was written goes on without it. So the responses
 * must be those of the branch that was done, in number and kind, and keys must be of those asked
 * for.
 *
 * Threads: pure. */
#ifndef REGISTRY_ETCD_TXN_REPLY_H
#define REGISTRY_ETCD_TXN_REPLY_H

#include "gateway_reply.h"
#include "registry/base/buffer.h"

/* The operations of a transaction, as far as their responses depend on them. */
struct txn_shape {
    struct txn_shape_op {
        enum kv_op_kind kind;
        size_t key_len, end_len; /* of a KV_GET; they lie one behind the other in `octets` */
    } ops[2][KV_TXN_MAX];        /* on failure, on success */
    size_t counts[2];
    struct buffer octets[2];
};

/* OK, TOO_MANY, TOO_LARGE, NO_MEMORY. To be cleared in any case. */
MUST_USE enum status txn_shape_init(struct txn_shape *shape, const struct kv_txn *txn);
void txn_shape_clear(struct txn_shape *shape);

/* A zeroed one is empty. */
struct txn_reply {
    struct kv_txn_result result; /* borrows from the rest */
    struct kv_op_result *ops;
    cJSON *root;
};

/* OK: *out is to be given to txn_reply_clear(). BAD_REPLY, NO_MEMORY. */
MUST_USE enum status txn_reply_read(const struct txn_shape *shape, const char *text, size_t len,
                                    struct txn_reply *out);
void txn_reply_clear(struct txn_reply *reply);

#endif
