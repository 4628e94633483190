#include "bulk.h"

#include "registry/lease.h"

#include <stdlib.h>
#include <string.h>

#define UNDER_WAY_MAX 8          /* transactions: beyond, etcd gets slower instead of faster */
#define BATCH_OCTETS  (1U << 20) /* etcd takes requests of 1.5 MiB */
#define MS_PER_S      1000

/* The puts of a transaction; each key is in one block with its value. */
struct batch {
    struct bulk *bulk;
    struct batch *next; /* of those that wait for the same lease */
    struct kv_op ops[KV_TXN_MAX];
    size_t count, octets;
    uint64_t begun_ms;
};

/* A lease. It lives as long as its group gives it keys or its grant is under way. */
struct promise {
    struct bulk *bulk;
    struct batch *waiting;
    int64_t id;
    uint64_t ttl_s, granted_ms;
    unsigned key_count;
    bool is_granted, is_under_way, is_current;
};

/* What has the same TTL. */
struct group {
    uint64_t ttl_s;
    uint64_t used; /* when, in additions */
    struct batch *batch;
    struct promise *promise;
};

struct bulk {
    struct session *session;
    bulk_moved *moved;
    void *arg;
    struct group groups[BULK_TTLS_MAX];
    size_t group_count;
    size_t under_way; /* transactions, those that wait for their lease, and grants */
    uint64_t added, written;
    enum status status;
    struct detail why;
};

enum status bulk_new(struct session *session, bulk_moved *moved, void *arg, struct bulk **out)
{
    struct bulk *bulk = calloc(1, sizeof(*bulk));
    if (!bulk)
        return STATUS_NO_MEMORY;
    *bulk = (struct bulk){.session = session, .moved = moved, .arg = arg};
    *out = bulk;
    return STATUS_OK;
}

static void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; i < batch->count; i++)
        free((void *)(uintptr_t)batch->ops[i].key);
    free(batch);
}

static enum status fail(struct bulk *bulk, enum status status, const struct detail *why)
{
    if (bulk->status != STATUS_OK)
        return bulk->status;
    bulk->status = status;
    bulk->why = *why;
    return status;
}

static enum status fail_text(struct bulk *bulk, enum status status, const char *text)
{
    struct detail why;
    return fail(bulk, detail_set(&why, status, "%s", text), &why);
}

static void on_written(void *arg, enum status status, const struct kv_txn_result *result,
                       const struct detail *why)
{
    (void)result;
    struct batch *batch = arg;
    struct bulk *bulk = batch->bulk;
    bulk->under_way--;
    if (status == STATUS_OK)
        bulk->written += batch->count;
    else if (status == STATUS_NOT_FOUND)
        fail_text(bulk, status,
                  "a lease expired before its entries were written: the TTL is too short");
    else
        fail(bulk, status, why);
    batch_free(batch);
    bulk->moved(bulk->arg);
}

/* It counts as under way already. */
static void send_batch(struct batch *batch)
{
    struct bulk *bulk = batch->bulk;
    if (bulk->status != STATUS_OK) {
        bulk->under_way--;
        batch_free(batch);
        return;
    }
    struct kv_txn txn = {
        .success = batch->ops, .success_count = batch->count, .is_idempotent = true};
    kv_txn(bulk->session->etcd, &txn, on_written, batch);
}

static void close_batch(struct bulk *bulk, struct group *group)
{
    struct batch *batch = group->batch;
    if (!batch)
        return;
    group->batch = NULL;
    bulk->under_way++;
    if (!group->promise || group->promise->is_granted) {
        send_batch(batch);
        return;
    }
    batch->next = group->promise->waiting;
    group->promise->waiting = batch;
}

static void promise_release(struct promise *promise)
{
    if (promise && !promise->is_under_way)
        free(promise);
    else if (promise)
        promise->is_current = false;
}

static void on_granted(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                       int64_t left_s, const struct detail *why)
{
    (void)id;
    (void)granted_ttl_s;
    (void)left_s;
    struct promise *promise = arg;
    struct bulk *bulk = promise->bulk;
    struct batch *waiting = promise->waiting;
    promise->waiting = NULL;
    promise->is_under_way = false;
    promise->is_granted = true;
    promise->granted_ms = uv_now(&bulk->session->loop);
    bulk->under_way--;
    if (!promise->is_current)
        free(promise);
    if (status != STATUS_OK)
        fail(bulk, status, why);
    for (struct batch *batch = waiting, *next; batch; batch = next) {
        next = batch->next;
        send_batch(batch);
    }
    bulk->moved(bulk->arg);
}

/* Whether the group's lease takes a key more. */
static bool has_promise(const struct bulk *bulk, const struct group *group)
{
    const struct promise *promise = group->promise;
    if (!promise || promise->key_count == LEASE_KEYS_MAX)
        return false;
    uint64_t now_ms = uv_now(&bulk->session->loop);
    return !promise->is_granted || now_ms - promise->granted_ms <= promise->ttl_s * (MS_PER_S / 2);
}

static enum status renew_promise(struct bulk *bulk, struct group *group)
{
    int64_t id;
    close_batch(bulk, group);
    promise_release(group->promise);
    group->promise = NULL;
    if (lease_new_id(group->ttl_s, &id) != STATUS_OK)
        return fail_text(bulk, STATUS_SYSTEM, "no random number for a lease");
    struct promise *promise = calloc(1, sizeof(*promise));
    if (!promise)
        return fail_text(bulk, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
    *promise = (struct promise){
        .bulk = bulk, .id = id, .ttl_s = group->ttl_s, .is_under_way = true, .is_current = true};
    group->promise = promise;
    bulk->under_way++;
    lease_grant(bulk->session->etcd, id, group->ttl_s, on_granted, promise);
    return bulk->status;
}

/* The group of this TTL; in place of the one that was idle longest, if need be. */
static struct group *find_group(struct bulk *bulk, uint64_t ttl_s)
{
    struct group *oldest = &bulk->groups[0];
    for (size_t i = 0; i < bulk->group_count; i++) {
        if (bulk->groups[i].ttl_s == ttl_s)
            return &bulk->groups[i];
        if (bulk->groups[i].used < oldest->used)
            oldest = &bulk->groups[i];
    }
    struct group *group = oldest;
    if (bulk->group_count < BULK_TTLS_MAX) {
        group = &bulk->groups[bulk->group_count++];
    } else {
        close_batch(bulk, group);
        promise_release(group->promise);
    }
    *group = (struct group){.ttl_s = ttl_s};
    return group;
}

/* The batch that has got it; NULL: no memory. */
static struct batch *append(struct bulk *bulk, struct group *group, const struct kv_op *put)
{
    char *block = malloc(put->key_len + put->value_len);
    if (block && !group->batch)
        group->batch = calloc(1, sizeof(*group->batch));
    struct batch *batch = group->batch;
    if (!block || !batch) {
        free(block);
        fail_text(bulk, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
        return NULL;
    }
    if (batch->count == 0) {
        batch->bulk = bulk;
        batch->begun_ms = uv_now(&bulk->session->loop);
    }
    memcpy(block, put->key, put->key_len);
    memcpy(block + put->key_len, put->value, put->value_len);
    struct kv_op *op = &batch->ops[batch->count++];
    *op = *put;
    op->key = block;
    op->value = block + put->key_len;
    batch->octets += put->key_len + put->value_len;
    return batch;
}

enum status bulk_add(struct bulk *bulk, const struct tree_key *key, const char *value,
                     size_t value_len, uint64_t ttl_s)
{
    if (bulk->status != STATUS_OK)
        return bulk->status;
    struct group *group = find_group(bulk, ttl_s);
    struct kv_op put = {.kind = KV_PUT,
                        .key = key->text,
                        .key_len = key->len,
                        .value = value,
                        .value_len = value_len};
    group->used = ++bulk->added;
    if (group->batch && group->batch->octets + key->len + value_len > BATCH_OCTETS)
        close_batch(bulk, group);
    if (ttl_s > 0 && !has_promise(bulk, group) && renew_promise(bulk, group) != STATUS_OK)
        return bulk->status;
    struct promise *promise = group->promise;
    put.lease = promise ? promise->id : 0;
    const struct batch *batch = append(bulk, group, &put);
    if (!batch)
        return bulk->status;
    bool is_last = promise && ++promise->key_count == LEASE_KEYS_MAX;
    if (is_last || batch->count == KV_TXN_MAX)
        close_batch(bulk, group);
    return bulk->status;
}

void bulk_flush(struct bulk *bulk, uint64_t before_ms)
{
    for (size_t i = 0; i < bulk->group_count; i++) {
        struct group *group = &bulk->groups[i];
        if (group->batch && group->batch->begun_ms <= before_ms)
            close_batch(bulk, group);
    }
}

bool bulk_is_full(const struct bulk *bulk)
{
    return bulk->under_way >= UNDER_WAY_MAX;
}

bool bulk_is_idle(const struct bulk *bulk)
{
    return bulk->under_way == 0;
}

uint64_t bulk_written(const struct bulk *bulk)
{
    return bulk->written;
}

enum status bulk_status(const struct bulk *bulk, struct detail *why)
{
    if (bulk->status != STATUS_OK)
        *why = bulk->why;
    return bulk->status;
}

void bulk_free(struct bulk *bulk)
{
    if (!bulk)
        return;
    for (size_t i = 0; i < bulk->group_count; i++) {
        batch_free(bulk->groups[i].batch);
        free(bulk->groups[i].promise);
    }
    free(bulk);
}
