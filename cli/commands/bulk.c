#include "bulk.h"

#include "shared_lease.h"

#include <stdlib.h>
#include <string.h>

#define UNDER_WAY_MAX 8          /* requests: beyond, etcd gets slower instead of faster */
#define BATCH_OCTETS  (1U << 20) /* etcd takes requests of 1.5 MiB */
#define BATCH_TRIES   32         /* others change the same keys: it looks and writes again */

/* A batch first learns at which revision each key is, then writes where it still is there. That no
 * key is there yet is asked for by itself: comparing costs etcd's gateway, which is what is slow,
 * half of what reading does. */
enum batch_step { BATCH_HOPES, BATCH_LOOKS, BATCH_WRITES };

/* The puts of a transaction; each key is in one block with its value. */
struct batch {
    struct bulk *bulk;
    struct batch *next; /* of those that wait */
    struct kv_op ops[KV_TXN_MAX];
    struct shared_lease *promises[KV_TXN_MAX]; /* NULL: without a lease */
    int64_t revisions[KV_TXN_MAX];             /* as seen; 0: it is not there */
    size_t count, octets;
    uint64_t begun_ms;
    unsigned tries;
    enum batch_step step;
};

struct bulk {
    struct session *session;
    bulk_moved *moved;
    void *arg;
    struct promises promises;
    struct batch *filling;
    struct batch *waiting, **waiting_end; /* for their leases, or for others to be done */
    size_t waiting_count;
    size_t sent;      /* under way */
    size_t count_max; /* operations of a transaction that this etcd takes */
    size_t octets_max;
    uint64_t written, unsure;
    enum batch_step first_step; /* of the next batch: what the last one found is likely again */
    bool is_pumping;
    enum status status;
    struct detail why;
};

static void bulk_batch_free(struct batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; i < batch->count; i++) {
        free((void *)(uintptr_t)batch->ops[i].key);
        shared_lease_release(batch->promises[i]);
    }
    free(batch);
}

static enum status bulk_fail(struct bulk *bulk, enum status status, const struct detail *why)
{
    if (bulk->status != STATUS_OK)
        return bulk->status;
    bulk->status = status;
    bulk->why = *why;
    return status;
}

static enum status bulk_fail_text(struct bulk *bulk, enum status status, const char *text)
{
    struct detail why;
    return bulk_fail(bulk, detail_set(&why, status, "%s", text), &why);
}

static void bulk_pump(struct bulk *bulk);

/* To the front: it has waited already. */
static void bulk_wait_first(struct bulk *bulk, struct batch *batch)
{
    batch->next = bulk->waiting;
    if (!bulk->waiting)
        bulk->waiting_end = &batch->next;
    bulk->waiting = batch;
    bulk->waiting_count++;
}

static void bulk_wait_last(struct bulk *bulk, struct batch *batch)
{
    batch->next = NULL;
    *bulk->waiting_end = batch;
    bulk->waiting_end = &batch->next;
    bulk->waiting_count++;
}

static size_t bulk_octets_of(const struct kv_op *op)
{
    /* The key stands there twice: compared and put. */
    return 2 * op->key_len + op->value_len;
}

/* Its second half becomes a batch of its own, behind it. */
static enum status bulk_split(struct bulk *bulk, struct batch *batch)
{
    struct batch *rest = calloc(1, sizeof(*rest));
    if (!rest)
        return bulk_fail_text(bulk, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
    size_t kept = batch->count / 2;
    *rest = (struct batch){.bulk = bulk, .begun_ms = batch->begun_ms, .step = batch->step};
    while (rest->count + kept < batch->count) {
        size_t from = kept + rest->count;
        rest->ops[rest->count] = batch->ops[from];
        rest->promises[rest->count] = batch->promises[from];
        rest->revisions[rest->count] = batch->revisions[from];
        rest->octets += bulk_octets_of(&batch->ops[from]);
        rest->count++;
    }
    batch->count = kept;
    batch->octets -= rest->octets;
    bulk_wait_first(bulk, rest);
    return STATUS_OK;
}

/* Smaller ones from now on. */
static void bulk_shrink(struct bulk *bulk, enum status status, struct batch *batch)
{
    size_t count_max = (batch->count + 1) / 2, octets_max = batch->octets / 2;
    if (status == STATUS_TOO_MANY && count_max < bulk->count_max)
        bulk->count_max = count_max;
    if (status == STATUS_TOO_LARGE && octets_max < bulk->octets_max)
        bulk->octets_max = octets_max;
    bulk_wait_first(bulk, batch); /* and is split there */
}

/* Whether etcd may have done it although it did not say so: when it has not said no, whatever
 * became of the attempts. */
static bool bulk_is_unknown(enum status status)
{
    switch (status) {
    case STATUS_BAD_INPUT:
    case STATUS_NOT_FOUND:
    case STATUS_CONFLICT:
    case STATUS_DENIED:
    case STATUS_NO_SPACE:
    case STATUS_TOO_LARGE:
    case STATUS_TOO_MANY:
    case STATUS_REFUSED:
        return false;
    default:
        return true;
    }
}

static void bulk_give_up(struct batch *batch, enum status status, const struct detail *why)
{
    struct bulk *bulk = batch->bulk;
    if (batch->step == BATCH_WRITES && bulk_is_unknown(status))
        bulk->unsure += batch->count;
    if (status == STATUS_NOT_FOUND)
        bulk_fail_text(bulk, status,
                       "a lease expired before its entries were written: the TTL is too short");
    else
        bulk_fail(bulk, status, why);
    bulk_batch_free(batch);
}

/* What the keys are at now. */
static void bulk_see(struct batch *batch, const struct kv_txn_result *result)
{
    for (size_t i = 0; i < batch->count && i < result->op_count; i++)
        batch->revisions[i] = result->ops[i].kv_count > 0 ? result->ops[i].kvs[0].mod_revision : 0;
    batch->step = BATCH_WRITES;
}

/* Etcd has answered. */
static void bulk_go_on(struct batch *batch, const struct kv_txn_result *result)
{
    struct bulk *bulk = batch->bulk;
    if (batch->step == BATCH_LOOKS) {
        bulk_see(batch, result);
    } else if (batch->step == BATCH_HOPES && result->succeeded) {
        memset(batch->revisions, 0, sizeof(batch->revisions));
        batch->step = BATCH_WRITES;
    } else {
        batch->step = BATCH_LOOKS;
        bulk->first_step = BATCH_LOOKS;
    }
}

static void bulk_on_sent(void *arg, enum status status, const struct kv_txn_result *result,
                         const struct detail *why)
{
    struct batch *batch = arg;
    struct bulk *bulk = batch->bulk;
    struct detail changed;
    bulk->sent--;
    bool is_too_big = status == STATUS_TOO_MANY || status == STATUS_TOO_LARGE;
    if (is_too_big && batch->count > 1 && bulk->status == STATUS_OK) {
        bulk_shrink(bulk, status, batch);
    } else if (status != STATUS_OK) {
        bulk_give_up(batch, status, why);
    } else if (batch->step == BATCH_WRITES && result->succeeded) {
        bulk->written += batch->count;
        bulk_batch_free(batch);
    } else if (++batch->tries > BATCH_TRIES) {
        bulk_give_up(
            batch,
            detail_set(&changed, STATUS_CONFLICT, "others change the same entries all the time"),
            &changed);
    } else {
        bulk_go_on(batch, result);
        bulk_wait_first(bulk, batch);
    }
    bulk_pump(bulk);
    bulk->moved(bulk->arg);
}

static void bulk_compare_keys(const struct batch *batch, struct kv_compare *compares)
{
    for (size_t i = 0; i < batch->count; i++)
        compares[i] = (struct kv_compare){
            .key = batch->ops[i].key,
            .key_len = batch->ops[i].key_len,
            .target = KV_MOD_REVISION,
            .result = KV_EQUAL,
            .number = batch->step == BATCH_WRITES ? batch->revisions[i] : 0,
        };
}

static void bulk_look_at_keys(const struct batch *batch, struct kv_op *gets)
{
    for (size_t i = 0; i < batch->count; i++)
        gets[i] = (struct kv_op){.kind = KV_GET,
                                 .key = batch->ops[i].key,
                                 .key_len = batch->ops[i].key_len,
                                 .keys_only = true};
}

/* It writes only where nothing has changed since it looked: what comes late, when it has long been
 * given up, finds other revisions. */
static void bulk_send_batch(struct batch *batch)
{
    struct kv_compare compares[KV_TXN_MAX];
    struct kv_op gets[KV_TXN_MAX];
    struct kv_txn txn = {.is_idempotent = true};
    if (batch->step == BATCH_LOOKS) {
        bulk_look_at_keys(batch, gets);
        txn.success = gets;
        txn.success_count = batch->count;
    } else {
        bulk_compare_keys(batch, compares);
        txn.compares = compares;
        txn.compare_count = batch->count;
    }
    if (batch->step == BATCH_WRITES) {
        txn.success = batch->ops;
        txn.success_count = batch->count;
    }
    batch->bulk->sent++;
    kv_txn(batch->bulk->session->etcd, &txn, bulk_on_sent, batch);
}

static bool bulk_is_granted(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->promises[i] && !batch->promises[i]->is_granted)
            return false;
    return true;
}

static bool bulk_is_small(const struct bulk *bulk, const struct batch *batch)
{
    return batch->count == 1 ||
           (batch->count <= bulk->count_max && batch->octets <= bulk->octets_max);
}

static struct batch *bulk_take_first(struct bulk *bulk)
{
    struct batch *batch = bulk->waiting;
    bulk->waiting = batch->next;
    if (!bulk->waiting)
        bulk->waiting_end = &bulk->waiting;
    bulk->waiting_count--;
    return batch;
}

/* After an error nothing more is sent. */
static void bulk_drop_waiting(struct bulk *bulk)
{
    while (bulk->waiting)
        bulk_batch_free(bulk_take_first(bulk));
    shared_lease_drop(&bulk->promises);
}

/* Send what can be sent. A callback that comes at once, when there is no memory, finds it busy. */
static void bulk_pump(struct bulk *bulk)
{
    if (bulk->is_pumping)
        return;
    bulk->is_pumping = true;
    if (bulk->status == STATUS_OK)
        shared_lease_ask(&bulk->promises);
    while (bulk->status == STATUS_OK && bulk->waiting && bulk->sent < UNDER_WAY_MAX &&
           bulk_is_granted(bulk->waiting)) {
        struct batch *batch = bulk_take_first(bulk);
        if (bulk_is_small(bulk, batch)) {
            bulk_send_batch(batch);
        } else {
            enum status status = bulk_split(bulk, batch);
            bulk_wait_first(bulk, batch);
            if (status != STATUS_OK)
                break;
        }
    }
    if (bulk->status != STATUS_OK)
        bulk_drop_waiting(bulk);
    bulk->is_pumping = false;
}

static void bulk_on_granted(void *arg, enum status status, const struct detail *why)
{
    struct bulk *bulk = arg;
    if (status != STATUS_OK)
        bulk_fail(bulk, status, why);
    bulk_pump(bulk);
    bulk->moved(bulk->arg);
}

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
    shared_lease_init(&bulk->promises, session, bulk_on_granted, bulk);
    *out = bulk;
    return STATUS_OK;
}

static void bulk_close_batch(struct bulk *bulk)
{
    struct batch *batch = bulk->filling;
    if (!batch)
        return;
    bulk->filling = NULL;
    bulk_wait_last(bulk, batch);
    bulk_pump(bulk);
}

/* False: no memory. */
static bool bulk_append(struct bulk *bulk, const struct kv_op *put, struct shared_lease *promise)
{
    char *block = malloc(put->key_len + put->value_len);
    if (block && !bulk->filling)
        bulk->filling = calloc(1, sizeof(*bulk->filling));
    struct batch *batch = bulk->filling;
    if (!block || !batch) {
        free(block);
        bulk_fail_text(bulk, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
        return false;
    }
    if (batch->count == 0) {
        batch->bulk = bulk;
        batch->step = bulk->first_step;
        batch->begun_ms = uv_now(&bulk->session->loop);
    }
    memcpy(block, put->key, put->key_len);
    memcpy(block + put->key_len, put->value, put->value_len);
    batch->promises[batch->count] = promise;
    struct kv_op *op = &batch->ops[batch->count++];
    *op = *put;
    op->key = block;
    op->value = block + put->key_len;
    batch->octets += bulk_octets_of(op);
    return true;
}

enum status bulk_add(struct bulk *bulk, const struct kv_key *key, const char *value,
                     size_t value_len, uint64_t ttl_s)
{
    if (bulk->status != STATUS_OK)
        return bulk->status;
    struct kv_op put = {.kind = KV_PUT,
                        .key = key->text,
                        .key_len = key->len,
                        .value = value,
                        .value_len = value_len};
    struct shared_lease *promise = NULL;
    struct detail why;
    enum status status =
        ttl_s > 0 ? shared_lease_take(&bulk->promises, ttl_s, &promise, &why) : STATUS_OK;
    if (status != STATUS_OK)
        return bulk_fail(bulk, status, &why);
    if (bulk->filling && bulk->filling->octets + bulk_octets_of(&put) > bulk->octets_max)
        bulk_close_batch(bulk);
    put.lease = promise ? promise->id : 0;
    if (!bulk_append(bulk, &put, promise)) {
        shared_lease_release(promise);
        return bulk->status;
    }
    shared_lease_ask(&bulk->promises);
    if (bulk->filling->count >= bulk->count_max)
        bulk_close_batch(bulk);
    return bulk->status;
}

void bulk_flush(struct bulk *bulk, uint64_t before_ms)
{
    if (bulk->filling && bulk->filling->begun_ms <= before_ms)
        bulk_close_batch(bulk);
}

bool bulk_is_full(const struct bulk *bulk)
{
    const struct promises *promises = &bulk->promises;
    return bulk->sent + bulk->waiting_count + promises->grants + promises->waiting_count >=
           UNDER_WAY_MAX;
}

bool bulk_is_idle(const struct bulk *bulk)
{
    const struct promises *promises = &bulk->promises;
    bool has_more = bulk->status == STATUS_OK && (bulk->waiting || promises->waiting);
    return bulk->sent + promises->grants == 0 && !has_more;
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
    bulk_batch_free(bulk->filling);
    bulk_drop_waiting(bulk);
    shared_lease_clear(&bulk->promises);
    free(bulk);
}
