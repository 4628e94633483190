#include "kv.h"

void kv_guard_init(struct kv_guard *guard, const char *key, size_t key_len, int64_t seen_revision,
                   const struct kv_op *op)
{
    guard->unchanged =
        (struct kv_compare){.key = key, .key_len = key_len, .mod_revision = seen_revision};
    guard->get = (struct kv_op){.kind = KV_GET, .key = key, .key_len = key_len};
    guard->txn = (struct kv_txn){.compares = &guard->unchanged,
                                 .compare_count = 1,
                                 .success = op,
                                 .success_count = op ? 1 : 0,
                                 .failure = &guard->get,
                                 .failure_count = 1,
                                 .is_idempotent = true};
}

const struct kv *kv_guard_found(const struct kv_txn_result *result)
{
    /* Of a transaction that got no reply there are no results. */
    bool has_one = !result->succeeded && result->op_count > 0 && result->ops[0].is_found;
    return has_one ? &result->ops[0].kv : NULL;
}
