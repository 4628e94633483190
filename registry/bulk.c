/* Three things make it fast. Puts share a transaction, as etcd commits each to its disk by itself;
 * a few transactions are under way at once, so that neither side waits for the other; and keys
 * share leases, as granting one costs a commit, too. The price is that things come apart: a
 * transaction waits until all its leases are granted, and those behind it wait with it; one that
 * is too large for this etcd is halved, and so are all that follow.
 *
 * A batch first learns at which revision each key is, then writes where it still is there. That no
 * key is there yet is asked for by itself, and first, as it is what a new tree needs: comparing
 * costs etcd's gateway, which is what is slow, half of what reading does. */
#include "bulk.h"

#include "outage.h"
#include "registry/etcd/kv.h"
#include "shared_lease.h"

#include <stdlib.h>
#include <string.h>

#define BULK_UNDER_WAY_MAX 8          /* requests: beyond, etcd gets slower instead of faster */
#define BULK_OCTETS        (1U << 20) /* etcd takes requests of 1.5 MiB */
#define BULK_TRIES         32         /* others change the same keys: it looks and writes again */

/* HOPES: compares alone, that none of the keys is there. LOOKS: reads their revisions. WRITES:
 * puts, where they still have these. Whenever a comparison fails, the batch looks again. */
enum bulk_step { BULK_HOPES, BULK_LOOKS, BULK_WRITES };

/* The puts of a transaction; each key is in one block with its value. */
struct bulk_batch {
    struct bulk *bulk;
    TAILQ_ENTRY(bulk_batch) node; /* in bulk->waiting */
    struct kv_op ops[KV_TXN_MAX];
    struct shared_lease *leases[KV_TXN_MAX]; /* NULL: without a lease */
    int64_t revisions[KV_TXN_MAX];           /* as seen; 0: it is not there */
    size_t count, octets;
    uint64_t begun_ms;
    unsigned tries;
    enum bulk_step step;
};

struct bulk {
    struct etcd *etcd;
    bulk_progress *on_progress;
    void *arg;
    struct shared_leases leases;
    struct bulk_batch *filling;
    TAILQ_HEAD(, bulk_batch) waiting; /* batches: for their leases, or for others to be done */
    size_t waiting_count;
    size_t sent;      /* under way */
    size_t count_max; /* operations of a transaction that this etcd takes */
    size_t octets_max;
    uint64_t written, unsure;
    enum bulk_step first_step; /* of the next batch: what the last one found is likely again */
    bool is_pumping;
    enum status status;
    struct detail why;
};

static void bulk_batch_free(struct bulk_batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; i < batch->count; i++) {
        free((void *)(uintptr_t)batch->ops[i].key);
        shared_lease_release(batch->leases[i]);
    }
    free(batch);
}

/* To the front: it has waited already. */
static void bulk_wait_first(struct bulk *bulk, struct bulk_batch *batch)
{
    TAILQ_INSERT_HEAD(&bulk->waiting, batch, node);
    bulk->waiting_count++;
}

static struct bulk_batch *bulk_take_first(struct bulk *bulk)
{
    struct bulk_batch *batch = TAILQ_FIRST(&bulk->waiting);
    TAILQ_REMOVE(&bulk->waiting, batch, node);
    bulk->waiting_count--;
    return batch;
}

/* Nothing more is sent: from now on nothing waits. */
static enum status bulk_fail(struct bulk *bulk, enum status status, const struct detail *why)
{
    /* The first reason stands: other batches that fail after it often do so because of it. */
    if (bulk->status == STATUS_OK) {
        bulk->status = status;
        bulk->why = *why;
    }
    while (bulk->waiting_count > 0)
        bulk_batch_free(bulk_take_first(bulk));
    shared_lease_drop(&bulk->leases);
    return bulk->status;
}

static enum status bulk_fail_plainly(struct bulk *bulk, enum status status)
{
    struct detail why;
    return bulk_fail(bulk, detail_set(&why, status, "%s", status_text(status)), &why);
}

static size_t bulk_octets(const struct kv_op *op)
{
    /* The key stands there twice: compared and put. */
    return 2 * op->key_len + op->value_len;
}

/* Its second half becomes a batch of its own, behind it. */
static void bulk_split(struct bulk *bulk, struct bulk_batch *batch)
{
    struct bulk_batch *rest = calloc(1, sizeof(*rest));
    if (!rest) {
        (void)bulk_fail_plainly(bulk, STATUS_NO_MEMORY);
        return;
    }
    size_t kept = batch->count / 2;
    *rest = (struct bulk_batch){.bulk = bulk, .begun_ms = batch->begun_ms, .step = batch->step};
    while (rest->count + kept < batch->count) {
        size_t from = kept + rest->count;
        rest->ops[rest->count] = batch->ops[from];
        rest->leases[rest->count] = batch->leases[from];
        rest->revisions[rest->count] = batch->revisions[from];
        rest->octets += bulk_octets(&batch->ops[from]);
        rest->count++;
    }
    batch->count = kept;
    batch->octets -= rest->octets;
    TAILQ_INSERT_AFTER(&bulk->waiting, batch, rest, node);
    bulk->waiting_count++;
}

/* Smaller ones from now on: half of this batch, not of the limit, since others of the old size are
 * under way, are refused as well and would halve it once more each. */
static void bulk_shrink(struct bulk *bulk, enum status status, struct bulk_batch *batch)
{
    size_t count_max = (batch->count + 1) / 2, octets_max = batch->octets / 2;
    if (status == STATUS_TOO_MANY && count_max < bulk->count_max)
        bulk->count_max = count_max;
    if (status == STATUS_TOO_LARGE && octets_max < bulk->octets_max)
        bulk->octets_max = octets_max;
    bulk_wait_first(bulk, batch); /* and is split there */
}

static void bulk_give_up(struct bulk_batch *batch, enum status status, const struct detail *why)
{
    struct bulk *bulk = batch->bulk;
    if (batch->step == BULK_WRITES && outage_is_unknown(status))
        bulk->unsure += batch->count;
    (void)bulk_fail(bulk, status, why);
    bulk_batch_free(batch);
}

/* Etcd has answered, but has not written. */
static void bulk_go_on(struct bulk_batch *batch, const struct kv_txn_result *result)
{
    struct bulk *bulk = batch->bulk;
    if (batch->step == BULK_LOOKS) {
        for (size_t i = 0; i < batch->count && i < result->op_count; i++)
            batch->revisions[i] = result->ops[i].kv.mod_revision; /* 0: it is not there */
        batch->step = BULK_WRITES;
    } else if (batch->step == BULK_HOPES && result->succeeded) {
        memset(batch->revisions, 0, sizeof(batch->revisions));
        batch->step = BULK_WRITES;
    } else {
        batch->step = BULK_LOOKS;
        bulk->first_step = BULK_LOOKS;
    }
    bulk_wait_first(bulk, batch);
}

static void bulk_pump(struct bulk *bulk);

/* After a failure, too, what was under way ends here: what etcd has written of it is counted, for
 * whoever is told how much is done, and what would have to be sent again is dropped. */
static void bulk_on_sent(void *arg, enum status status, const struct kv_txn_result *result,
                         const struct detail *why)
{
    struct bulk_batch *batch = arg;
    struct bulk *bulk = batch->bulk;
    bool is_too_big = status == STATUS_TOO_MANY || status == STATUS_TOO_LARGE;
    bulk->sent--;
    if (is_too_big && batch->count > 1 && bulk->status == STATUS_OK) {
        bulk_shrink(bulk, status, batch);
    } else if (status != STATUS_OK) {
        bulk_give_up(batch, status, why);
    } else if (batch->step == BULK_WRITES && result->succeeded) {
        bulk->written += batch->count;
        bulk_batch_free(batch);
    } else if (bulk->status != STATUS_OK) {
        bulk_batch_free(batch); /* it would have to be sent once more */
    } else if (++batch->tries > BULK_TRIES) {
        bulk_batch_free(batch);
        (void)bulk_fail_plainly(bulk, STATUS_CONFLICT);
    } else {
        bulk_go_on(batch, result);
    }
    bulk_pump(bulk);
    bulk->on_progress(bulk->arg);
}

/* It writes only where nothing has changed since it looked. So it may be sent again, too: where the
 * first attempt was done, the second finds other revisions. */
static void bulk_send(struct bulk_batch *batch)
{
    struct kv_compare compares[KV_TXN_MAX];
    struct kv_op gets[KV_TXN_MAX];
    bool looks = batch->step == BULK_LOOKS, writes = batch->step == BULK_WRITES;
    struct kv_txn txn = {.compares = compares,
                         .compare_count = looks ? 0 : batch->count,
                         .success = looks ? gets : batch->ops,
                         .success_count = looks || writes ? batch->count : 0,
                         .is_idempotent = true};
    for (size_t i = 0; i < batch->count; i++) {
        const struct kv_op *put = &batch->ops[i];
        compares[i] = (struct kv_compare){put->key, put->key_len, writes ? batch->revisions[i] : 0};
        gets[i] = (struct kv_op){
            .kind = KV_GET, .key = put->key, .key_len = put->key_len, .keys_only = true};
    }
    batch->bulk->sent++;
    kv_txn(batch->bulk->etcd, &txn, bulk_on_sent, batch);
}

static bool bulk_is_granted(const struct bulk_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->leases[i] && !batch->leases[i]->is_granted)
            return false;
    return true;
}

/* A put that is alone goes whatever its size: it cannot be halved, and etcd says what is wrong. */
static bool bulk_is_small(const struct bulk *bulk, const struct bulk_batch *batch)
{
    return batch->count == 1 ||
           (batch->count <= bulk->count_max && batch->octets <= bulk->octets_max);
}

/* Send what can be sent. A callback that comes at once, when there is no memory, finds it busy. */
static void bulk_pump(struct bulk *bulk)
{
    if (bulk->is_pumping)
        return;
    bulk->is_pumping = true;
    shared_lease_ask(&bulk->leases);
    while (bulk->waiting_count > 0 && bulk->sent < BULK_UNDER_WAY_MAX &&
           bulk_is_granted(TAILQ_FIRST(&bulk->waiting))) {
        if (bulk_is_small(bulk, TAILQ_FIRST(&bulk->waiting)))
            bulk_send(bulk_take_first(bulk));
        else
            bulk_split(bulk, TAILQ_FIRST(&bulk->waiting));
    }
    bulk->is_pumping = false;
}

static void bulk_on_granted(void *arg, enum status status, const struct detail *why)
{
    struct bulk *bulk = arg;
    if (status != STATUS_OK)
        (void)bulk_fail(bulk, status, why);
    bulk_pump(bulk);
    bulk->on_progress(bulk->arg);
}

enum status bulk_new(struct etcd *etcd, uv_loop_t *loop, bulk_progress *on_progress, void *arg,
                     struct bulk **out)
{
    struct bulk *bulk = calloc(1, sizeof(*bulk));
    if (!bulk)
        return STATUS_NO_MEMORY;
    bulk->etcd = etcd;
    bulk->on_progress = on_progress;
    bulk->arg = arg;
    bulk->count_max = KV_TXN_MAX;
    bulk->octets_max = BULK_OCTETS;
    TAILQ_INIT(&bulk->waiting);
    shared_lease_init(&bulk->leases, etcd, loop, bulk_on_granted, bulk);
    *out = bulk;
    return STATUS_OK;
}

void bulk_free(struct bulk *bulk)
{
    if (!bulk)
        return;
    bulk_batch_free(bulk->filling);
    while (bulk->waiting_count > 0)
        bulk_batch_free(bulk_take_first(bulk));
    shared_lease_clear(&bulk->leases);
    free(bulk);
}

/* After a failure the batch stays where it is, and bulk_free() releases it. */
static void bulk_close_batch(struct bulk *bulk)
{
    struct bulk_batch *batch = bulk->filling;
    if (bulk->status != STATUS_OK)
        return;
    bulk->filling = NULL;
    TAILQ_INSERT_TAIL(&bulk->waiting, batch, node);
    bulk->waiting_count++;
    bulk_pump(bulk);
}

/* The batch that the put is to go to; NULL: no memory. */
static struct bulk_batch *bulk_batch_for(struct bulk *bulk, const struct kv_op *put)
{
    if (bulk->filling && bulk->filling->octets + bulk_octets(put) > bulk->octets_max)
        bulk_close_batch(bulk);
    struct bulk_batch *batch = bulk->filling;
    if (batch)
        return batch;
    bulk->filling = batch = calloc(1, sizeof(*batch));
    if (batch) {
        batch->bulk = bulk;
        batch->step = bulk->first_step;
        batch->begun_ms = uv_now(bulk->leases.loop);
    }
    return batch;
}

/* False: no memory. */
static bool bulk_append(struct bulk *bulk, const struct kv_op *put, struct shared_lease *lease)
{
    struct bulk_batch *batch = bulk_batch_for(bulk, put);
    char *block = batch ? malloc(put->key_len + put->value_len) : NULL;
    if (!block)
        return false;
    memcpy(block, put->key, put->key_len);
    if (put->value_len > 0)
        memcpy(block + put->key_len, put->value, put->value_len);
    batch->leases[batch->count] = lease;
    struct kv_op *op = &batch->ops[batch->count++];
    *op = *put;
    op->key = block;
    op->value = block + put->key_len;
    batch->octets += bulk_octets(op);
    return true;
}

enum status bulk_add(struct bulk *bulk, const struct kv_key *key, const char *value,
                     size_t value_len, uint64_t ttl_s)
{
    struct shared_lease *lease = NULL;
    enum status status = bulk->status;
    if (status == STATUS_OK && ttl_s > 0)
        status = shared_lease_take(&bulk->leases, ttl_s, &lease);
    if (status != STATUS_OK)
        return bulk_fail_plainly(bulk, status);
    struct kv_op put = {.kind = KV_PUT,
                        .key = key->text,
                        .key_len = key->len,
                        .value = value,
                        .value_len = value_len,
                        .lease = lease ? lease->id : 0};
    if (!bulk_append(bulk, &put, lease)) {
        shared_lease_release(lease);
        return bulk_fail_plainly(bulk, STATUS_NO_MEMORY);
    }
    /* A new lease is asked for now, so that it may be there by the time the batch is full. */
    bulk_pump(bulk);
    if (bulk->filling && bulk->filling->count >= bulk->count_max)
        bulk_close_batch(bulk);
    return bulk->status;
}

void bulk_flush(struct bulk *bulk, uint64_t before_ms)
{
    if (bulk->filling && bulk->filling->begun_ms <= before_ms)
        bulk_close_batch(bulk);
}

/* Leases count, too: where each entry has a TTL of its own, leases pile up faster than batches
 * fill, and reading would run ahead of etcd. */
static size_t bulk_pending(const struct bulk *bulk)
{
    return bulk->sent + bulk->waiting_count + bulk->leases.grants + bulk->leases.waiting_count;
}

bool bulk_is_full(const struct bulk *bulk)
{
    return bulk_pending(bulk) >= BULK_UNDER_WAY_MAX;
}

bool bulk_is_idle(const struct bulk *bulk)
{
    return bulk_pending(bulk) == 0;
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
