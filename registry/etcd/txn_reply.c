#include "txn_reply.h"

#include <stdlib.h>

#define TXN_REPLY_OCTETS_MAX (4U << 20) /* of the keys asked for: as in the request's body */

/* Only of reads the keys are kept: a put and a deletion are answered without theirs. */
static enum status txn_reply_shape_take(struct txn_shape_branch *branch, const struct kv_op *ops,
                                        size_t count)
{
    if (count > KV_TXN_MAX)
        return STATUS_TOO_MANY;
    for (size_t i = 0; i < count; i++) {
        size_t key_len = ops[i].kind == KV_GET ? ops[i].key_len : 0;
        branch->ops[i] = (struct txn_shape_op){ops[i].kind, key_len};
        buffer_add(&branch->keys, ops[i].key, key_len);
    }
    branch->count = count;
    return branch->keys.status;
}

enum status txn_shape_init(struct txn_shape *shape, const struct kv_txn *txn)
{
    struct txn_shape_branch *branches = shape->branches;
    buffer_init(&branches[0].keys, TXN_REPLY_OCTETS_MAX);
    buffer_init(&branches[1].keys, TXN_REPLY_OCTETS_MAX);
    enum status status = txn_reply_shape_take(&branches[0], txn->failure, txn->failure_count);
    if (status == STATUS_OK)
        status = txn_reply_shape_take(&branches[1], txn->success, txn->success_count);
    return status;
}

void txn_shape_clear(struct txn_shape *shape)
{
    buffer_clear(&shape->branches[0].keys);
    buffer_clear(&shape->branches[1].keys);
}

/* What a request_range inside the transaction found: this key, or nothing. What has another count,
 * more keys to come or a member that is not a range's answers another question. */
static bool txn_reply_read_get(cJSON *range, const char *key, size_t key_len,
                               struct kv_op_result *out)
{
    static const char *const members[] = {"header", "kvs", "more", "count", NULL};
    cJSON *list = cJSON_GetObjectItemCaseSensitive(range, "kvs");
    uint64_t count;
    bool has_more;
    if (!gateway_reply_has_uint(range, "count", &count) || (list && !cJSON_IsArray(list)) ||
        !gateway_reply_has_bool(range, "more", &has_more) || has_more || count > 1 ||
        !gateway_reply_has_only(range, members) || count != (uint64_t)cJSON_GetArraySize(list))
        return false;
    out->is_found = count == 1;
    return !out->is_found || (gateway_reply_kv(cJSON_GetArrayItem(list, 0), &out->kv) &&
                              gateway_reply_kv_is_within(&out->kv, key, key_len, NULL, 0));
}

/* The name tells the kind. Of a put there is nothing more to read: the value before is not asked
 * for. */
static bool txn_reply_read_op(cJSON *response, const char *key, const struct txn_shape_op *op,
                              struct kv_op_result *out)
{
    static const char *const names[] = {[KV_PUT] = "response_put",
                                        [KV_DELETE] = "response_delete_range",
                                        [KV_GET] = "response_range"};
    cJSON *said = cJSON_GetObjectItemCaseSensitive(response, names[op->kind]);
    if (op->kind == KV_GET)
        return cJSON_IsObject(said) && txn_reply_read_get(said, key, op->key_len, out);
    return cJSON_IsObject(said) &&
           (op->kind == KV_PUT || gateway_reply_has_uint(said, "deleted", &out->deleted));
}

static enum status txn_reply_read_root(const struct txn_shape *shape, struct txn_reply *reply)
{
    static const char *const members[] = {"header", "succeeded", "responses", NULL};
    struct kv_txn_result *result = &reply->result;
    struct gateway_reply_header header;
    cJSON *list = cJSON_GetObjectItemCaseSensitive(reply->root, "responses");
    if (!gateway_reply_header(reply->root, &header) ||
        !gateway_reply_has_only(reply->root, members) ||
        !gateway_reply_has_bool(reply->root, "succeeded", &result->succeeded) ||
        (list && !cJSON_IsArray(list)))
        return STATUS_BAD_REPLY;
    result->revision = header.revision;
    /* Which branch was done is for etcd to say; what its operations were is known here. */
    const struct txn_shape_branch *branch = &shape->branches[result->succeeded];
    size_t count = (size_t)cJSON_GetArraySize(list);
    if (count != branch->count)
        return STATUS_BAD_REPLY;
    /* One more: of none calloc() may return NULL, which here means that there is no memory. */
    reply->ops = calloc(count + 1, sizeof(*reply->ops));
    if (!reply->ops)
        return STATUS_NO_MEMORY;
    result->ops = reply->ops;
    result->op_count = count;
    const char *key = branch->keys.data;
    cJSON *response = cJSON_GetArrayItem(list, 0);
    for (size_t i = 0; response && i < count; i++, response = response->next) {
        if (!txn_reply_read_op(response, key, &branch->ops[i], &reply->ops[i]))
            return STATUS_BAD_REPLY;
        key += branch->ops[i].key_len;
    }
    return STATUS_OK;
}

enum status txn_reply_read(const struct txn_shape *shape, const char *text, size_t len,
                           struct txn_reply *out)
{
    enum status status;
    struct txn_reply reply = {.root = gateway_reply_parse(text, len, &status)};
    if (status == STATUS_OK)
        status = txn_reply_read_root(shape, &reply);
    if (status == STATUS_OK)
        *out = reply;
    else
        txn_reply_clear(&reply);
    return status;
}

void txn_reply_clear(struct txn_reply *reply)
{
    free(reply->ops);
    cJSON_Delete(reply->root);
    *reply = (struct txn_reply){.root = NULL};
}
