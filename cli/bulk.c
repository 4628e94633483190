#include "bulk.h"

#include "registry/lease.h"

#include <stdlib.h>
#include <string.h>

#define UNDER_WAY_MAX 8          /* requests: beyond, etcd gets slower instead of faster */
#define BATCH_OCTETS  (1U << 20) /* etcd takes requests of 1.5 MiB */
#define BATCH_TRIES   16         /* others change the same keys */
#define ROUNDED_MIN_S 50         /* shorter TTLs are never rounded: a second is more than 2 % */
#define GROUPS_MAX    2048       /* more than there can be */
#define MS_PER_S      1000

/* A lease. It lives as long as its group gives it keys, its grant is under way or a batch has keys
 * of it. */
struct promise {
    struct bulk *bulk;
    struct promise *next; /* of those whose grant has to wait */
    int64_t id;
    uint64_t ttl_s, granted_ms;
    unsigned key_count, users;
    bool is_granted;
};

/* The puts of a transaction; each key is in one block with its value. They are sent twice: to see
 * at which revision each key is, and to write where it still is. */
struct batch {
    struct bulk *bulk;
    struct batch *next; /* of those that wait */
    struct kv_op ops[KV_TXN_MAX];
    struct promise *promises[KV_TXN_MAX]; /* NULL: without a lease */
    int64_t revisions[KV_TXN_MAX];        /* as seen; 0: it is not there */
    size_t count, octets;
    uint64_t begun_ms;
    unsigned tries;
    bool is_seen;
};

/* What has the same TTL. */
struct group {
    uint64_t ttl_s;
    struct promise *promise;
};

struct bulk {
    struct session *session;
    bulk_moved *moved;
    void *arg;
    struct group groups[GROUPS_MAX];
    size_t group_count;
    struct batch *filling;
    struct batch *waiting, **waiting_end;       /* for their leases, or for others to be done */
    struct promise *ungranted, **ungranted_end; /* not asked for yet */
    size_t waiting_count, ungranted_count;
    size_t sent, grants; /* under way */
    size_t count_max;    /* operations of a transaction that this etcd takes */
    size_t octets_max;
    uint64_t written, unsure;
    bool is_pumping;
    enum status status;
    struct detail why;
};

enum status bulk_new(struct session *session, bulk_moved *moved, void *arg, struct bulk **out)
{
    struct bulk *bulk = calloc(1, sizeof(*bulk));
    if (!bulk)
        return STATUS_NO_MEMORY;
    *bulk = (struct bulk){.session = session,
                          .moved = moved,
                          .arg = arg,
                          .count_max = KV_TXN_MAX,
                          .octets_max = BATCH_OCTETS};
    bulk->waiting_end = &bulk->waiting;
    bulk->ungranted_end = &bulk->ungranted;
    *out = bulk;
    return STATUS_OK;
}

static void promise_release(struct promise *promise)
{
    if (promise && --promise->users == 0)
        free(promise);
}

static void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; i < batch->count; i++) {
        free((void *)(uintptr_t)batch->ops[i].key);
        promise_release(batch->promises[i]);
    }
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

static void pump(struct bulk *bulk);

/* To the front: it has waited already. */
static void wait_first(struct bulk *bulk, struct batch *batch)
{
    batch->next = bulk->waiting;
    if (!bulk->waiting)
        bulk->waiting_end = &batch->next;
    bulk->waiting = batch;
    bulk->waiting_count++;
}

static void wait_last(struct bulk *bulk, struct batch *batch)
{
    batch->next = NULL;
    *bulk->waiting_end = batch;
    bulk->waiting_end = &batch->next;
    bulk->waiting_count++;
}

static size_t octets_of(const struct kv_op *op)
{
    /* The key stands there three times: compared, looked at and put. */
    return 3 * op->key_len + op->value_len;
}

/* Its second half becomes a batch of its own, behind it. */
static enum status split(struct bulk *bulk, struct batch *batch)
{
    struct batch *rest = calloc(1, sizeof(*rest));
    if (!rest)
        return fail_text(bulk, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
    size_t kept = batch->count / 2;
    *rest = (struct batch){.bulk = bulk, .begun_ms = batch->begun_ms, .is_seen = batch->is_seen};
    while (rest->count + kept < batch->count) {
        size_t from = kept + rest->count;
        rest->ops[rest->count] = batch->ops[from];
        rest->promises[rest->count] = batch->promises[from];
        rest->revisions[rest->count] = batch->revisions[from];
        rest->octets += octets_of(&batch->ops[from]);
        rest->count++;
    }
    batch->count = kept;
    batch->octets -= rest->octets;
    wait_first(bulk, rest);
    return STATUS_OK;
}

/* Smaller ones from now on. */
static void shrink(struct bulk *bulk, enum status status, struct batch *batch)
{
    size_t count_max = (batch->count + 1) / 2, octets_max = batch->octets / 2;
    if (status == STATUS_TOO_MANY && count_max < bulk->count_max)
        bulk->count_max = count_max;
    if (status == STATUS_TOO_LARGE && octets_max < bulk->octets_max)
        bulk->octets_max = octets_max;
    wait_first(bulk, batch); /* and is split there */
}

/* Whether etcd may have done it although it did not say so. */
static bool is_unknown(enum status status)
{
    return status == STATUS_TIMED_OUT || status == STATUS_UNREACHABLE || status == STATUS_BAD_REPLY;
}

static void give_up(struct batch *batch, enum status status, const struct detail *why)
{
    struct bulk *bulk = batch->bulk;
    if (batch->is_seen && is_unknown(status))
        bulk->unsure += batch->count;
    if (status == STATUS_NOT_FOUND)
        fail_text(bulk, status,
                  "a lease expired before its entries were written: the TTL is too short");
    else
        fail(bulk, status, why);
    batch_free(batch);
}

/* What the keys are at now. */
static void see(struct batch *batch, const struct kv_txn_result *result)
{
    for (size_t i = 0; i < batch->count && i < result->op_count; i++)
        batch->revisions[i] = result->ops[i].kv_count > 0 ? result->ops[i].kvs[0].mod_revision : 0;
    batch->is_seen = true;
}

static void on_sent(void *arg, enum status status, const struct kv_txn_result *result,
                    const struct detail *why)
{
    struct batch *batch = arg;
    struct bulk *bulk = batch->bulk;
    struct detail changed;
    bulk->sent--;
    bool is_too_big = status == STATUS_TOO_MANY || status == STATUS_TOO_LARGE;
    if (is_too_big && batch->count > 1 && bulk->status == STATUS_OK) {
        shrink(bulk, status, batch);
    } else if (status != STATUS_OK) {
        give_up(batch, status, why);
    } else if (batch->is_seen && result->succeeded) {
        bulk->written += batch->count;
        batch_free(batch);
    } else if (++batch->tries > BATCH_TRIES) {
        give_up(
            batch,
            detail_set(&changed, STATUS_CONFLICT, "others change the same entries all the time"),
            &changed);
    } else {
        see(batch, result);
        wait_first(bulk, batch);
    }
    pump(bulk);
    bulk->moved(bulk->arg);
}

/* Where nothing has been seen yet, only look. Otherwise write where nothing has changed since: what
 * comes late, when it has long been given up, finds other revisions. */
static void send_batch(struct batch *batch)
{
    struct kv_compare compares[KV_TXN_MAX];
    struct kv_op gets[KV_TXN_MAX];
    for (size_t i = 0; i < batch->count; i++) {
        const struct kv_op *op = &batch->ops[i];
        gets[i] = (struct kv_op){
            .kind = KV_GET, .key = op->key, .key_len = op->key_len, .keys_only = true};
        compares[i] = (struct kv_compare){.key = op->key,
                                          .key_len = op->key_len,
                                          .target = KV_MOD_REVISION,
                                          .result = KV_EQUAL,
                                          .number = batch->revisions[i]};
    }
    struct kv_txn look = {.success = gets, .success_count = batch->count, .is_idempotent = true};
    struct kv_txn put = {.compares = compares,
                         .compare_count = batch->count,
                         .success = batch->ops,
                         .success_count = batch->count,
                         .failure = gets,
                         .failure_count = batch->count,
                         .is_idempotent = true};
    batch->bulk->sent++;
    kv_txn(batch->bulk->session->etcd, batch->is_seen ? &put : &look, on_sent, batch);
}

static bool is_granted(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->promises[i] && !batch->promises[i]->is_granted)
            return false;
    return true;
}

static bool is_small(const struct bulk *bulk, const struct batch *batch)
{
    return batch->count == 1 ||
           (batch->count <= bulk->count_max && batch->octets <= bulk->octets_max);
}

static struct batch *take_first(struct bulk *bulk)
{
    struct batch *batch = bulk->waiting;
    bulk->waiting = batch->next;
    if (!bulk->waiting)
        bulk->waiting_end = &bulk->waiting;
    bulk->waiting_count--;
    return batch;
}

static void on_granted(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                       int64_t left_s, const struct detail *why)
{
    (void)id;
    (void)granted_ttl_s;
    (void)left_s;
    struct promise *promise = arg;
    struct bulk *bulk = promise->bulk;
    promise->is_granted = true;
    promise->granted_ms = uv_now(&bulk->session->loop);
    bulk->grants--;
    if (status != STATUS_OK)
        fail(bulk, status, why);
    promise_release(promise);
    pump(bulk);
    bulk->moved(bulk->arg);
}

static void ask_grants(struct bulk *bulk)
{
    while (bulk->status == STATUS_OK && bulk->ungranted && bulk->grants < UNDER_WAY_MAX) {
        struct promise *promise = bulk->ungranted;
        bulk->ungranted = promise->next;
        if (!bulk->ungranted)
            bulk->ungranted_end = &bulk->ungranted;
        bulk->ungranted_count--;
        bulk->grants++;
        lease_grant(bulk->session->etcd, promise->id, promise->ttl_s, on_granted, promise);
    }
}

/* After an error nothing more is sent. */
static void drop_waiting(struct bulk *bulk)
{
    while (bulk->waiting)
        batch_free(take_first(bulk));
    while (bulk->ungranted) {
        struct promise *promise = bulk->ungranted;
        bulk->ungranted = promise->next;
        promise_release(promise);
    }
    bulk->ungranted_end = &bulk->ungranted;
    bulk->ungranted_count = 0;
}

/* Send what can be sent. A callback that comes at once, when there is no memory, finds it busy. */
static void pump(struct bulk *bulk)
{
    if (bulk->is_pumping)
        return;
    bulk->is_pumping = true;
    ask_grants(bulk);
    while (bulk->status == STATUS_OK && bulk->waiting && bulk->sent < UNDER_WAY_MAX &&
           is_granted(bulk->waiting)) {
        struct batch *batch = take_first(bulk);
        if (is_small(bulk, batch)) {
            send_batch(batch);
        } else {
            enum status status = split(bulk, batch);
            wait_first(bulk, batch);
            if (status != STATUS_OK)
                break;
        }
    }
    if (bulk->status != STATUS_OK)
        drop_waiting(bulk);
    bulk->is_pumping = false;
}

static void close_batch(struct bulk *bulk)
{
    struct batch *batch = bulk->filling;
    if (!batch)
        return;
    bulk->filling = NULL;
    wait_last(bulk, batch);
    pump(bulk);
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
    promise_release(group->promise);
    group->promise = NULL;
    if (lease_new_id(group->ttl_s, &id) != STATUS_OK)
        return fail_text(bulk, STATUS_SYSTEM, "no random number for a lease");
    struct promise *promise = calloc(1, sizeof(*promise));
    if (!promise)
        return fail_text(bulk, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
    /* Users: the group and the grant. */
    *promise = (struct promise){.bulk = bulk, .id = id, .ttl_s = group->ttl_s, .users = 2};
    group->promise = promise;
    *bulk->ungranted_end = promise;
    bulk->ungranted_end = &promise->next;
    bulk->ungranted_count++;
    pump(bulk);
    return bulk->status;
}

/* Up, by less than 2 %, to one of a thousand TTLs. */
static uint64_t round_up(uint64_t ttl_s)
{
    uint64_t rounded_s = ROUNDED_MIN_S;
    if (ttl_s <= ROUNDED_MIN_S)
        return ttl_s;
    while (rounded_s < ttl_s)
        rounded_s += rounded_s / ROUNDED_MIN_S;
    return rounded_s < LEASE_TTL_MAX_S ? rounded_s : LEASE_TTL_MAX_S;
}

static struct group *find_group(struct bulk *bulk, uint64_t ttl_s)
{
    for (size_t i = 0; i < bulk->group_count; i++)
        if (bulk->groups[i].ttl_s == ttl_s)
            return &bulk->groups[i];
    return NULL;
}

/* The group of this TTL; when there are many, that of one a little longer. */
static struct group *group_of(struct bulk *bulk, uint64_t ttl_s)
{
    struct group *group = find_group(bulk, ttl_s);
    if (!group && bulk->group_count >= BULK_TTLS_MAX) {
        ttl_s = round_up(ttl_s);
        group = find_group(bulk, ttl_s);
    }
    if (group)
        return group;
    if (bulk->group_count == GROUPS_MAX) {
        fail_text(bulk, STATUS_TOO_LARGE, "too many TTLs");
        return NULL;
    }
    group = &bulk->groups[bulk->group_count++];
    *group = (struct group){.ttl_s = ttl_s};
    return group;
}

/* False: no memory. */
static bool append(struct bulk *bulk, const struct kv_op *put, struct promise *promise)
{
    char *block = malloc(put->key_len + put->value_len);
    if (block && !bulk->filling)
        bulk->filling = calloc(1, sizeof(*bulk->filling));
    struct batch *batch = bulk->filling;
    if (!block || !batch) {
        free(block);
        fail_text(bulk, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
        return false;
    }
    if (batch->count == 0) {
        batch->bulk = bulk;
        batch->begun_ms = uv_now(&bulk->session->loop);
    }
    memcpy(block, put->key, put->key_len);
    memcpy(block + put->key_len, put->value, put->value_len);
    batch->promises[batch->count] = promise;
    struct kv_op *op = &batch->ops[batch->count++];
    *op = *put;
    op->key = block;
    op->value = block + put->key_len;
    batch->octets += octets_of(op);
    if (promise) {
        promise->users++;
        promise->key_count++;
    }
    return true;
}

enum status bulk_add(struct bulk *bulk, const struct tree_key *key, const char *value,
                     size_t value_len, uint64_t ttl_s)
{
    if (bulk->status != STATUS_OK)
        return bulk->status;
    struct kv_op put = {.kind = KV_PUT,
                        .key = key->text,
                        .key_len = key->len,
                        .value = value,
                        .value_len = value_len};
    struct group *group = ttl_s > 0 ? group_of(bulk, ttl_s) : NULL;
    if (ttl_s > 0 && !group)
        return bulk->status;
    if (group && !has_promise(bulk, group) && renew_promise(bulk, group) != STATUS_OK)
        return bulk->status;
    if (bulk->filling && bulk->filling->octets + octets_of(&put) > bulk->octets_max)
        close_batch(bulk);
    put.lease = group ? group->promise->id : 0;
    if (!append(bulk, &put, group ? group->promise : NULL))
        return bulk->status;
    if (bulk->filling->count >= bulk->count_max)
        close_batch(bulk);
    return bulk->status;
}

void bulk_flush(struct bulk *bulk, uint64_t before_ms)
{
    if (bulk->filling && bulk->filling->begun_ms <= before_ms)
        close_batch(bulk);
}

bool bulk_is_full(const struct bulk *bulk)
{
    return bulk->sent + bulk->waiting_count + bulk->grants + bulk->ungranted_count >= UNDER_WAY_MAX;
}

bool bulk_is_idle(const struct bulk *bulk)
{
    bool has_more = bulk->status == STATUS_OK && (bulk->waiting || bulk->ungranted);
    return bulk->sent + bulk->grants == 0 && !has_more;
}

uint64_t bulk_written(const struct bulk *bulk)
{
    return bulk->written;
}

uint64_t bulk_unsure(const struct bulk *bulk)
{
    return bulk->unsure;
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
    batch_free(bulk->filling);
    drop_waiting(bulk);
    for (size_t i = 0; i < bulk->group_count; i++)
        promise_release(bulk->groups[i].promise);
    free(bulk);
}
