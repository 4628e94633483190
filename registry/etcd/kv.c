#include "kv.h"

#include "rpc.h"
#include "txn_reply.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KV_TXN_BODY_MAX (4U << 20) /* etcd takes 1.5 MiB; in base64 it is 2 MiB, and to spare */

struct kv_transaction {
    struct rpc *rpc;
    struct buffer body;
    enum status refusal; /* TOO_LARGE, TOO_MANY: it cannot even be sent */
    struct txn_shape asked;
    struct txn_reply reply;
    kv_txn_done *done;
    void *arg;
};

void kv_range(struct etcd *etcd, const struct kv_range *range, kv_each *each, kv_range_done *done,
              void *arg)
{
    if (range_start(etcd, range, NULL, each, done, arg))
        return;
    struct detail why;
    enum status status = rpc_refusal(etcd, &why);
    done(arg, status, &(struct kv_range_result){0}, &why);
}

static void kv_add_octets(struct buffer *body, const char *name, const char *octets, size_t len)
{
    buffer_add_text(body, name);
    buffer_add_base64(body, octets, len);
    buffer_add_text(body, "\"");
}

/* A key alone, without range_end. A put without a lease names lease 0, which takes an earlier one
 * off. */
static void kv_add_op(struct buffer *body, const struct kv_op *op)
{
    static const char *const kinds[] = {[KV_PUT] = "{\"request_put\":{\"key\":\"",
                                        [KV_DELETE] = "{\"request_delete_range\":{\"key\":\"",
                                        [KV_GET] = "{\"request_range\":{\"key\":\""};
    kv_add_octets(body, kinds[op->kind], op->key, op->key_len);
    if (op->kind == KV_PUT) {
        kv_add_octets(body, ",\"value\":\"", op->value, op->value_len);
        buffer_printf(body, ",\"lease\":\"%" PRId64 "\"", op->lease);
    }
    if (op->kind == KV_GET && op->keys_only)
        buffer_add_text(body, ",\"keys_only\":true");
    buffer_add_text(body, "}}");
}

static void kv_add_ops(struct buffer *body, const char *name, const struct kv_op *ops, size_t count)
{
    buffer_add_text(body, name);
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(body, i ? "," : "");
        kv_add_op(body, &ops[i]);
    }
    buffer_add_text(body, "]");
}

/* A compare names its target: etcd takes one without for the key's version. Of a key that is not
 * there the revision is 0, so one comparison serves both "unchanged" and "absent". */
static void kv_add_txn(struct buffer *body, const struct kv_txn *txn)
{
    buffer_add_text(body, "{\"compare\":[");
    for (size_t i = 0; i < txn->compare_count; i++) {
        buffer_add_text(body, i ? "," : "");
        kv_add_octets(body, "{\"key\":\"", txn->compares[i].key, txn->compares[i].key_len);
        buffer_add_text(body, ",\"target\":\"MOD\",\"result\":\"EQUAL\"");
        buffer_printf(body, ",\"mod_revision\":\"%" PRId64 "\"}", txn->compares[i].mod_revision);
    }
    buffer_add_text(body, "]");
    kv_add_ops(body, ",\"success\":[", txn->success, txn->success_count);
    kv_add_ops(body, ",\"failure\":[", txn->failure, txn->failure_count);
    buffer_add_text(body, "}");
}

/* Built once, while what it is made of was still there; each attempt sends a copy. What is too much
 * is said here, as etcd would say it: not from inside kv_txn(), nor for a part of the body. */
static void kv_build_txn(void *arg, const struct member *member, struct buffer *body)
{
    struct kv_transaction *transaction = arg;
    (void)member;
    buffer_add(body, transaction->body.data, transaction->body.len);
    if (transaction->refusal != STATUS_OK)
        body->status = transaction->refusal;
}

static enum status kv_check_txn(void *arg, const char *reply, size_t len, struct detail *why)
{
    struct kv_transaction *transaction = arg;
    enum status status = txn_reply_read(&transaction->asked, reply, len, &transaction->reply);
    if (status != STATUS_OK)
        detail_set(why, status, "transaction: %s", status_text(status));
    return status;
}

static void kv_free_txn(struct kv_transaction *transaction)
{
    txn_reply_clear(&transaction->reply);
    txn_shape_clear(&transaction->asked);
    buffer_clear(&transaction->body);
    free(transaction);
}

/* The result borrows from the reply, which lives until `done` has returned. */
static void kv_finish_txn(void *arg, enum status status, const struct detail *why)
{
    struct kv_transaction *transaction = arg;
    transaction->reply.result.has_stray = rpc_has_stray(transaction->rpc);
    transaction->done(transaction->arg, status, &transaction->reply.result, why);
    kv_free_txn(transaction);
}

static bool kv_start_txn(struct etcd *etcd, const struct kv_txn *txn,
                         struct kv_transaction *transaction)
{
    struct rpc_request request = {
        .method = RPC_TXN,
        .timeout_ms = txn->timeout_ms,
        .is_idempotent = txn->is_idempotent,
        .build = kv_build_txn,
        .check = kv_check_txn,
        .done = kv_finish_txn,
        .arg = transaction,
    };
    buffer_init(&transaction->body, KV_TXN_BODY_MAX);
    kv_add_txn(&transaction->body, txn);
    enum status status = txn_shape_init(&transaction->asked, txn);
    if (status == STATUS_OK)
        status = transaction->body.status;
    transaction->refusal = status;
    if (status != STATUS_NO_MEMORY)
        transaction->rpc = rpc_start(etcd, &request);
    return transaction->rpc;
}

void kv_txn(struct etcd *etcd, const struct kv_txn *txn, kv_txn_done *done, void *arg)
{
    struct kv_transaction *transaction = calloc(1, sizeof(*transaction));
    struct detail why;
    if (transaction) {
        *transaction = (struct kv_transaction){.done = done, .arg = arg};
        if (kv_start_txn(etcd, txn, transaction))
            return;
        kv_free_txn(transaction);
    }
    enum status status = rpc_refusal(etcd, &why);
    done(arg, status, &(struct kv_txn_result){0}, &why);
}

void kv_prefix_end(const char *prefix, size_t len, struct kv_key *out)
{
    /* 0xff has no successor: the octet before it has. */
    while (len > 0 && (uint8_t)prefix[len - 1] == 0xff)
        len--;
    out->len = len > 0 ? len : 1;
    memcpy(out->text, prefix, len);
    if (len > 0)
        out->text[len - 1] = (char)((uint8_t)prefix[len - 1] + 1);
    else
        out->text[0] = '\0';
    out->text[out->len] = '\0';
}
