#include "put.h"

#include "registry/lease.h"

#include <string.h>

/* Tag and TTL of an ID that lease_new_id() made stand above its random bits. */
#define RANDOM_BITS 47
#define TTL_UNTOLD  255 /* from here on the ID does not tell TTLs apart */

static enum status write_key(struct session *session, const struct tree_key *key, const char *value,
                             size_t value_len, int64_t lease)
{
    struct kv_op op = {.kind = KV_PUT,
                       .key = key->text,
                       .key_len = key->len,
                       .value = value,
                       .value_len = value_len,
                       .lease = lease};
    struct kv_txn txn = {.success = &op, .success_count = 1, .is_idempotent = true};
    struct session_txn result;
    return session_txn(session, &txn, &result);
}

static bool is_unchanged(const struct session_kv *kv, const char *value, size_t value_len,
                         int64_t fresh_id)
{
    return kv->is_there && kv->value_len == value_len && memcmp(kv->value, value, value_len) == 0 &&
           kv->lease >> RANDOM_BITS == fresh_id >> RANDOM_BITS;
}

/* OK: the key stands as wanted and its lease has been renewed. NOT_FOUND: it has to be written. */
static enum status keep(struct session *session, const struct tree_key *key, const char *value,
                        size_t value_len, uint64_t ttl_s)
{
    int64_t fresh_id, granted_s = 0;
    enum status status = lease_new_id(ttl_s, &fresh_id);
    if (status != STATUS_OK)
        return detail_set(&session->why, status, "no random number for a lease");
    struct session_kv kv = {0};
    status = session_get(session, key, &kv);
    if (status == STATUS_OK && !is_unchanged(&kv, value, value_len, fresh_id))
        status = STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = session_keep_alive(session, kv.lease, &granted_s);
    if (status == STATUS_OK && ttl_s >= TTL_UNTOLD && (uint64_t)granted_s != ttl_s)
        status = STATUS_NOT_FOUND;
    session_kv_clear(&kv);
    return status;
}

enum status put_key(struct session *session, const struct tree_key *key, const char *value,
                    size_t value_len, uint64_t ttl_s)
{
    int64_t lease = 0;
    if (ttl_s > 0) {
        enum status status = keep(session, key, value, value_len, ttl_s);
        if (status != STATUS_NOT_FOUND)
            return status;
        status = session_grant(session, ttl_s, &lease);
        if (status != STATUS_OK)
            return status;
    }
    return write_key(session, key, value, value_len, lease);
}
