/* registry/etcd/txn_reply.h - the reply to a transaction, held against what was asked.
 *
 * A reply that makes no sense must not be taken for one: whoever believes that its entry is not
 * there writes it, and whoever believes that it was written goes on without it. So the responses
 * must be those of the branch that was done, in number and kind, and a key must be the one asked
 * for.
 *
 * Threads: pure. */
#ifndef REGISTRY_ETCD_TXN_REPLY_H
#define REGISTRY_ETCD_TXN_REPLY_H

#include "gateway_reply.h"
#include "registry/base/buffer.h"

/* The operations of a transaction, as far as their responses depend on them. */
struct txn_shape {
    struct txn_shape_branch {
        struct txn_shape_op {
            enum kv_op_kind kind;
            size_t key_len; /* of a KV_GET */
        } ops[KV_TXN_MAX];
        size_t count;
        struct buffer keys; /* of the KV_GETs, one behind the other */
    } branches[2];          /* on failure, on success */
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
