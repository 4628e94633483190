#include "put.h"

#include "registry/entry.h"
#include "registry/etcd/lease.h"
#include "registry/lease_id.h"

#include <string.h>

#define ONCE_MS    2000 /* then the outcome of a change that is sent once is looked up */
#define ONCE_TRIES 3
#define TRIES      8 /* another process changed the key in between */

void put_guard(struct put_guard *guard, const struct kv_key *key, int64_t seen_revision,
               const struct kv_op *op)
{
    guard->unchanged = (struct kv_compare){.key = key->text,
                                           .key_len = key->len,
                                           .target = KV_MOD_REVISION,
                                           .result = KV_EQUAL,
                                           .number = seen_revision};
    guard->get = (struct kv_op){.kind = KV_GET, .key = key->text, .key_len = key->len};
    guard->txn = (struct kv_txn){.compares = &guard->unchanged,
                                 .compare_count = 1,
                                 .success = op,
                                 .success_count = op ? 1 : 0,
                                 .failure = &guard->get,
                                 .failure_count = 1,
                                 .is_idempotent = true};
}

static enum status put_send_change(struct session *session, const struct kv_key *key,
                                   const struct put_change *change, int64_t seen_revision,
                                   struct session_txn *out)
{
    struct put_guard guard;
    struct kv_op op = {.kind = change->value ? KV_PUT : KV_DELETE,
                       .key = key->text,
                       .key_len = key->len,
                       .value = change->value,
                       .value_len = change->value_len,
                       .lease = change->lease};
    put_guard(&guard, key, seen_revision, &op);
    guard.txn.is_idempotent = !change->is_once;
    guard.txn.timeout_ms = change->is_once ? ONCE_MS : 0;
    *out = (struct session_txn){.succeeded = false};
    return session_txn(session, &guard.txn, out);
}

/* Whether what was found, which is not what was seen, is what the change would have left. */
static bool put_is_as_wanted(const struct put_change *change, int64_t seen_revision,
                             const struct session_kv *found)
{
    if (!change->value)
        return !found->is_there || found->create_revision > seen_revision;
    return found->is_there && found->lease == change->lease &&
           found->value_len == change->value_len &&
           memcmp(found->value, change->value, change->value_len) == 0;
}

/* One try. OK with *is_done; or *found is what stands there instead of what was seen. TIMED_OUT:
 * it is as it was seen, perhaps not for long. */
static enum status put_try_change(struct session *session, const struct kv_key *key,
                                  const struct put_change *change, int64_t seen_revision,
                                  bool *is_done, struct session_kv *found)
{
    struct session_txn result;
    enum status status = put_send_change(session, key, change, seen_revision, &result);
    *is_done = status == STATUS_OK && result.succeeded;
    *found = result.kv;
    if (status != STATUS_TIMED_OUT || !change->is_once)
        return status;
    struct detail why = session->why;
    status = session_get(session, key, found);
    if (status == STATUS_OK && found->mod_revision == seen_revision) {
        session->why = why;
        return STATUS_TIMED_OUT;
    }
    *is_done = status == STATUS_OK && put_is_as_wanted(change, seen_revision, found);
    return status;
}

enum status put_change(struct session *session, const struct kv_key *key,
                       const struct put_change *change, struct session_kv *seen)
{
    int64_t seen_revision = seen->mod_revision;
    struct session_kv found = {0};
    bool is_done = false, is_unsure = !change->is_once;
    enum status status = STATUS_TIMED_OUT;
    for (int i = 0; status == STATUS_TIMED_OUT && i < (change->is_once ? ONCE_TRIES : 1); i++) {
        session_kv_clear(&found);
        is_unsure = is_unsure || i > 0;
        status = put_try_change(session, key, change, seen_revision, &is_done, &found);
    }
    if (status != STATUS_OK) {
        session_kv_clear(&found);
        return status;
    }
    if (!is_done && !(is_unsure && put_is_as_wanted(change, seen_revision, &found)))
        status = detail_set(&session->why, STATUS_CONFLICT, "it is changed by others all the time");
    session_kv_clear(seen);
    *seen = found;
    return status;
}

static bool put_is_unchanged(const struct session_kv *kv, const char *value, size_t value_len,
                             uint64_t ttl_s, bool is_entry)
{
    size_t len = is_entry ? entry_text_len(kv->value, kv->value_len) : kv->value_len;
    return kv->is_there && len == value_len && memcmp(kv->value, value, value_len) == 0 &&
           lease_id_is_for(kv->lease, ttl_s);
}

/* OK: what was seen is as wanted, and its lease has been renewed. NOT_FOUND: it has to be written.
 */
static enum status put_keep(struct session *session, const struct session_kv *seen,
                            const char *value, size_t value_len, uint64_t ttl_s, bool is_entry)
{
    int64_t granted_s = 0;
    if (!put_is_unchanged(seen, value, value_len, ttl_s, is_entry))
        return STATUS_NOT_FOUND;
    enum status status = session_keep_alive(session, seen->lease, &granted_s);
    if (status == STATUS_OK && ttl_s >= LEASE_ID_TTL_MAX_S && (uint64_t)granted_s != ttl_s)
        status = STATUS_NOT_FOUND;
    return status;
}

static enum status put_write_key(struct session *session, const struct kv_key *key,
                                 struct put_change *change, uint64_t ttl_s, struct session_kv *seen)
{
    enum status status = STATUS_CONFLICT;
    if (ttl_s > 0) {
        enum status granted = session_grant(session, ttl_s, &change->lease);
        if (granted != STATUS_OK)
            return granted;
    }
    for (int i = 0; status == STATUS_CONFLICT && i < TRIES; i++)
        status = put_change(session, key, change, seen);
    return status;
}

enum status put_key(struct session *session, const struct kv_key *key, const char *value,
                    size_t value_len, uint64_t ttl_s, bool is_entry)
{
    struct put_change change = {.value = value, .value_len = value_len};
    struct session_kv seen = {0};
    enum status status = session_get(session, key, &seen);
    if (status != STATUS_OK)
        return status;
    status = STATUS_NOT_FOUND;
    if (ttl_s > 0)
        status = put_keep(session, &seen, value, value_len, ttl_s, is_entry);
    if (status == STATUS_NOT_FOUND)
        status = put_write_key(session, key, &change, ttl_s, &seen);
    session_kv_clear(&seen);
    return status;
}

enum status put_nothing(struct session *session, const struct kv_key *key, bool *was_there)
{
    struct put_change nothing = {.value = NULL};
    struct session_kv seen = {0};
    enum status status = session_get(session, key, &seen);
    bool is_there = status == STATUS_OK && seen.is_there;
    if (is_there)
        status = STATUS_CONFLICT;
    for (int i = 0; status == STATUS_CONFLICT && i < TRIES; i++)
        status = put_change(session, key, &nothing, &seen);
    session_kv_clear(&seen);
    if (status == STATUS_OK)
        *was_there = is_there;
    return status;
}
