#include "txn_reply.h"

#include <stdlib.h>

#define TXN_REPLY_OCTETS_MAX (4U << 20) /* of the keys asked for: as in the request's body */

static enum status txn_reply_shape_take(struct txn_shape *shape, unsigned branch,
                                        const struct kv_op *ops, size_t count)
{
    struct buffer *octets = &shape->octets[branch];
    if (count > KV_TXN_MAX)
        return STATUS_TOO_MANY;
    for (size_t i = 0; i < count; i++) {
        struct txn_shape_op *op = &shape->ops[branch][i];
        *op = (struct txn_shape_op){.kind = ops[i].kind};
        if (op->kind != KV_GET)
            continue;
        op->key_len = ops[i].key_len;
        op->end_len = ops[i].end ? ops[i].end_len : 0;
        buffer_add(octets, ops[i].key, op->key_len);
        buffer_add(octets, ops[i].end, op->end_len);
    }
    shape->counts[branch] = count;
    return octets->status;
}

enum status txn_shape_init(struct txn_shape *shape, const struct kv_txn *txn)
{
    buffer_init(&shape->octets[0], TXN_REPLY_OCTETS_MAX);
    buffer_init(&shape->octets[1], TXN_REPLY_OCTETS_MAX);
    shape->counts[0] = shape->counts[1] = 0;
    enum status status = txn_reply_shape_take(shape, 0, txn->failure, txn->failure_count);
    if (status == STATUS_OK)
        status = txn_reply_shape_take(shape, 1, txn->success, txn->success_count);
    return status;
}

void txn_shape_clear(struct txn_shape *shape)
{
    buffer_clear(&shape->octets[0]);
    buffer_clear(&shape->octets[1]);
}

/* False: keys that were not asked for, or in no order. */
static bool txn_reply_read_kvs(cJSON *list, const char *key, const struct txn_shape_op *op,
                               struct kv *kvs)
{
    const char *from = key, *end = key + op->key_len;
    size_t from_len = op->key_len;
    for (cJSON *object = list ? list->child : NULL; object; object = object->next) {
        if (!gateway_reply_kv(object, kvs) ||
            !gateway_reply_kv_is_within(kvs, from, from_len, end, op->end_len))
            return false;
        from = kvs->key; /* with its NUL: the next one that may come */
        from_len = kvs->key_len + 1;
        kvs++;
    }
    return true;
}

/* All keys that a request_range inside the transaction found. */
static enum status txn_reply_read_get(cJSON *range, const char *key, const struct txn_shape_op *op,
                                      struct kv_op_result *out)
{
    static const char *const members[] = {"header", "kvs", "more", "count", NULL};
    cJSON *list = cJSON_GetObjectItemCaseSensitive(range, "kvs");
    uint64_t count;
    bool has_more;
    if (!gateway_reply_has_uint(range, "count", &count) || (list && !cJSON_IsArray(list)) ||
        !gateway_reply_has_bool(range, "more", &has_more) || has_more ||
        !gateway_reply_has_only(range, members) || count != (uint64_t)cJSON_GetArraySize(list))
        return STATUS_BAD_REPLY;
    if (count == 0)
        return STATUS_OK;
    struct kv *kvs = calloc(count, sizeof(*kvs));
    if (!kvs)
        return STATUS_NO_MEMORY;
    out->kvs = kvs;
    out->kv_count = count;
    return txn_reply_read_kvs(list, key, op, kvs) ? STATUS_OK : STATUS_BAD_REPLY;
}

static enum status txn_reply_read_op(cJSON *response, const char *key,
                                     const struct txn_shape_op *op, struct kv_op_result *out)
{
    static const char *const names[] = {[KV_PUT] = "response_put",
                                        [KV_DELETE] = "response_delete_range",
                                        [KV_GET] = "response_range"};
    cJSON *said = cJSON_GetObjectItemCaseSensitive(response, names[op->kind]);
    if (!cJSON_IsObject(said))
        return STATUS_BAD_REPLY;
    if (op->kind == KV_GET)
        return txn_reply_read_get(said, key, op, out);
    if (op->kind == KV_DELETE && !gateway_reply_has_uint(said, "deleted", &out->deleted))
        return STATUS_BAD_REPLY;
    return STATUS_OK;
}

static enum status txn_reply_read_ops(const struct txn_shape *shape, cJSON *list,
                                      struct txn_reply *reply)
{
    unsigned branch = reply->result.succeeded;
    const char *key = shape->octets[branch].data;
    enum status status = STATUS_OK;
    size_t at = 0;
    for (cJSON *response = list ? list->child : NULL; response && status == STATUS_OK;
         response = response->next) {
        const struct txn_shape_op *op = &shape->ops[branch][at];
        status = txn_reply_read_op(response, key, op, &reply->ops[at++]);
        key = key ? key + op->key_len + op->end_len : NULL;
    }
    return status;
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
    size_t count = (size_t)cJSON_GetArraySize(list);
    if (count != shape->counts[result->succeeded])
        return STATUS_BAD_REPLY;
    reply->ops = calloc(count + 1, sizeof(*reply->ops));
    if (!reply->ops)
        return STATUS_NO_MEMORY;
    result->ops = reply->ops;
    result->op_count = count;
    return txn_reply_read_ops(shape, list, reply);
}

enum status txn_reply_read(const struct txn_shape *shape, const char *text, size_t len,
                           struct txn_reply *out)
{
    struct txn_reply reply = {.root = gateway_reply_parse(text, len)};
    enum status status = txn_reply_read_root(shape, &reply);
    if (status == STATUS_OK)
        *out = reply;
    else
        txn_reply_clear(&reply);
    return status;
}

void txn_reply_clear(struct txn_reply *reply)
{
    for (size_t i = 0; reply->ops && i < reply->result.op_count; i++)
        free((void *)(uintptr_t)reply->ops[i].kvs);
    free(reply->ops);
    cJSON_Delete(reply->root);
    *reply = (struct txn_reply){.root = NULL};
}
