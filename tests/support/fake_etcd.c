#include "fake_etcd.h"

struct fake fake;
const struct detail fake_away = {"etcd is away"};

struct etcd *fake_etcd(void)
{
    return (struct etcd *)&fake;
}

uv_loop_t *fake_loop(void)
{
    return (uv_loop_t *)&fake;
}

void fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.revision = 100;
    fake.now_ms = 1000000;
}

void fake_put(const char *value, int64_t lease)
{
    fake.revision++;
    if (!fake.is_there)
        fake.create_revision = fake.revision;
    fake.is_there = true;
    fake.value_len = strlen(value);
    memcpy(fake.value, value, fake.value_len + 1);
    fake.lease = lease;
    fake.mod_revision = fake.revision;
}

void fake_delete(void)
{
    fake.revision++;
    fake.is_there = false;
    fake.mod_revision = fake.create_revision = fake.lease = 0;
}

bool fake_has(const char *value)
{
    return fake.is_there && strlen(value) == fake.value_len &&
           memcmp(fake.value, value, fake.value_len) == 0;
}

/* Its place; lease_count: it is gone. */
static size_t fake_find_lease(int64_t id)
{
    size_t i = 0;
    while (i < fake.lease_count &&
           (fake.leases[i].id != id || fake.leases[i].expires_ms <= fake.now_ms))
        i++;
    return i;
}

bool fake_has_lease(int64_t id)
{
    return fake_find_lease(id) < fake.lease_count;
}

void fake_forget_lease(int64_t id)
{
    size_t i = fake_find_lease(id);
    if (i < fake.lease_count)
        fake.leases[i].expires_ms = 0;
}

void fake_grant(int64_t id, uint64_t ttl_s)
{
    assert_true(fake.lease_count < FAKE_LEASES_MAX);
    size_t i = fake.lease_count++;
    fake.leases[i].id = id;
    fake.leases[i].ttl_s = ttl_s;
    fake.leases[i].expires_ms = fake.now_ms + ttl_s * 1000;
}

void fake_end_next(enum fake_end end, enum status status)
{
    assert_true(fake.end_count < 16);
    fake.ends[fake.end_count].end = end;
    fake.ends[fake.end_count++].status = status;
}

/* The write, if there is one; the key has the revision that was compared. */
static void fake_write(const struct fake_request *request, struct kv_op_result *op)
{
    if (request->is_delete) {
        op->deleted = fake.is_there;
        fake.deletes += fake.is_there;
        fake_delete();
    } else if (request->has_op) {
        fake_put(request->value, request->lease);
        fake.puts++;
    }
}

static void fake_answer_txn(const struct fake_request *request, enum status lost)
{
    char value[FAKE_VALUE_MAX]; /* a callback may change what is there */
    struct kv kv = {.key = "k", .key_len = 1, .value = value};
    bool is_equal = request->compared == fake.mod_revision;
    bool is_put = request->has_op && !request->is_delete;
    struct kv_op_result op = {0};
    struct kv_txn_result result = {.succeeded = is_equal};
    if (is_equal && is_put && request->lease != 0 && !fake_has_lease(request->lease)) {
        request->txn_done(request->arg, STATUS_NOT_FOUND, &result, &(struct detail){"no lease"});
        return;
    }
    if (is_equal)
        fake_write(request, &op);
    memcpy(value, fake.value, sizeof(value));
    if (!is_equal && fake.is_there) {
        kv.value_len = fake.value_len;
        kv.lease = fake.lease;
        kv.mod_revision = fake.mod_revision;
        kv.create_revision = fake.create_revision;
        op.is_found = true;
        op.kv = kv;
    }
    result.revision = fake.revision;
    result.ops = &op;
    result.op_count = request->has_op || !is_equal;
    if (lost == STATUS_OK)
        request->txn_done(request->arg, lost, &result, &(struct detail){""});
    else
        request->txn_done(request->arg, lost, &(struct kv_txn_result){0}, &fake_away);
}

static void fake_answer_range(const struct fake_request *request)
{
    struct kv_range_result result = {.revision = fake.revision, .count = fake.is_there};
    struct kv kv = {.key = "k",
                    .key_len = 1,
                    .value = fake.value,
                    .value_len = fake.value_len,
                    .lease = fake.lease,
                    .mod_revision = fake.mod_revision,
                    .create_revision = fake.create_revision};
    bool goes_on = !fake.is_there || request->each(request->arg, &kv);
    request->range_done(request->arg, goes_on ? STATUS_OK : STATUS_CANCELLED, &result,
                        goes_on ? &(struct detail){""} : &(struct detail){"cancelled"});
}

/* A lease that is there already is not renewed by being granted, nor by being asked for. */
static bool fake_renews(const struct fake_request *request, bool is_there)
{
    return request->kind != FAKE_TIME_LEFT && (request->kind != FAKE_GRANT || !is_there);
}

static void fake_answer_lease(const struct fake_request *request, enum status lost)
{
    size_t i = fake_find_lease(request->lease);
    bool is_there = i < fake.lease_count;
    int64_t ttl_s = 0, left_s = 0;
    enum status status = is_there ? STATUS_OK : STATUS_NOT_FOUND;
    if (request->kind == FAKE_GRANT && !is_there) {
        i = fake.lease_count;
        fake_grant(request->lease, request->ttl_s);
        status = STATUS_OK;
    }
    if (status == STATUS_OK) {
        ttl_s = (int64_t)fake.leases[i].ttl_s;
        if (fake_renews(request, is_there))
            fake.leases[i].expires_ms = fake.now_ms + fake.leases[i].ttl_s * 1000;
        left_s = (int64_t)(fake.leases[i].expires_ms - fake.now_ms) / 1000;
        if (request->kind == FAKE_REVOKE) {
            fake_forget_lease(request->lease);
            if (fake.is_there && fake.lease == request->lease)
                fake_delete();
        }
    }
    status = lost == STATUS_OK ? status : lost;
    request->lease_done(
        request->arg,
        &(struct lease_result){.status = status,
                               .id = request->lease,
                               .granted_ttl_s = ttl_s,
                               .left_s = left_s,
                               .why = status == STATUS_OK ? &(struct detail){""} : &fake_away});
}

/* Not done. */
static void fake_refuse(const struct fake_request *request, enum status status)
{
    const struct detail *why = &fake_away;
    if (request->kind == FAKE_TXN)
        request->txn_done(request->arg, status, &(struct kv_txn_result){0}, why);
    else if (request->kind == FAKE_RANGE)
        request->range_done(request->arg, status, &(struct kv_range_result){0}, why);
    else
        request->lease_done(request->arg, &(struct lease_result){
                                              .status = status, .id = request->lease, .why = why});
}

static void fake_answer(const struct fake_request *request)
{
    enum fake_end end = fake.is_mute ? FAKE_MUTE : FAKE_DONE;
    enum status status = STATUS_OK;
    if (fake.away != STATUS_OK) {
        end = FAKE_FAILED;
        status = fake.away;
    }
    if (fake.ended_count < fake.end_count) {
        end = fake.ends[fake.ended_count].end;
        status = fake.ends[fake.ended_count++].status;
    }
    if (end == FAKE_MUTE) {
        assert_true(fake.muted_count < FAKE_MUTED_MAX);
        fake.muted[fake.muted_count++] = *request;
        return;
    }
    if (end == FAKE_FAILED) {
        fake_refuse(request, status);
        return;
    }
    fake.counts[request->kind]++;
    if (request->kind == FAKE_TXN)
        fake_answer_txn(request, status);
    else if (request->kind == FAKE_RANGE)
        fake_answer_range(request);
    else
        fake_answer_lease(request, status);
}

/* The timer that is due first by now_ms + within_ms; NULL: none. */
static struct fake_timer *fake_next_timer(uint64_t within_ms)
{
    struct fake_timer *first = NULL;
    for (size_t i = 0; i < fake.timer_count; i++) {
        struct fake_timer *timer = &fake.timers[i];
        if (timer->is_active && timer->due_ms <= fake.now_ms + within_ms &&
            (!first || timer->due_ms < first->due_ms))
            first = timer;
    }
    return first;
}

bool fake_turn(uint64_t within_ms)
{
    if (fake.closing_count > 0) {
        size_t i = --fake.closing_count;
        fake.closed[i](fake.closing[i]);
        return true;
    }
    if (fake.answered_count < fake.request_count) {
        struct fake_request request = fake.requests[fake.answered_count++ % FAKE_REQUESTS_MAX];
        if (fake.answered_count == fake.request_count)
            fake.answered_count = fake.request_count = 0;
        fake_answer(&request);
        return true;
    }
    struct fake_timer *timer = fake_next_timer(within_ms);
    if (!timer)
        return false;
    fake.now_ms = timer->due_ms > fake.now_ms ? timer->due_ms : fake.now_ms;
    timer->is_active = false;
    timer->callback(timer->timer);
    return true;
}

void fake_run_for(uint64_t ms)
{
    uint64_t end_ms = fake.now_ms + ms;
    while (fake_turn(end_ms - fake.now_ms))
        continue;
    fake.now_ms = end_ms;
}

void fake_settle(void)
{
    while (fake_turn(0))
        continue;
}

void fake_close(void)
{
    fake.away = STATUS_CANCELLED;
    fake.end_count = fake.ended_count = 0;
    for (size_t i = 0; i < fake.muted_count; i++)
        fake_refuse(&fake.muted[i], STATUS_CANCELLED);
    fake.muted_count = 0;
    while (fake.closing_count > 0 || fake.answered_count < fake.request_count)
        fake_turn(0);
}

static void fake_ask(const struct fake_request *request)
{
    if (fake.fails_at_once) {
        fake_refuse(request, STATUS_NO_MEMORY);
        return;
    }
    assert_true(fake.request_count - fake.answered_count < FAKE_REQUESTS_MAX);
    fake.requests[fake.request_count++ % FAKE_REQUESTS_MAX] = *request;
}

/* There is one key. */
static void fake_check_key(const char *key, size_t len)
{
    assert_int_equal(len, 1);
    assert_memory_equal(key, "k", 1);
}

void kv_txn(struct etcd *etcd, const struct kv_txn *txn, kv_txn_done *done, void *arg)
{
    assert_ptr_equal(etcd, fake_etcd());
    assert_int_equal(txn->compare_count, 1);
    fake_check_key(txn->compares[0].key, txn->compares[0].key_len);
    struct fake_request request = {.kind = FAKE_TXN,
                                   .compared = txn->compares[0].mod_revision,
                                   .has_op = txn->success_count == 1,
                                   .is_idempotent = txn->is_idempotent,
                                   .timeout_ms = txn->timeout_ms,
                                   .txn_done = done,
                                   .arg = arg};
    if (request.has_op) {
        const struct kv_op *op = &txn->success[0];
        fake_check_key(op->key, op->key_len);
        request.is_delete = op->kind == KV_DELETE;
        request.lease = op->lease;
        request.value_len = op->value_len;
        assert_true(op->value_len < FAKE_VALUE_MAX);
        if (!request.is_delete)
            memcpy(request.value, op->value, op->value_len);
    }
    fake_ask(&request);
}

void kv_range(struct etcd *etcd, const struct kv_range *range, kv_each *each, kv_range_done *done,
              void *arg)
{
    assert_ptr_equal(etcd, fake_etcd());
    fake_check_key(range->key, range->key_len);
    fake_ask(
        &(struct fake_request){.kind = FAKE_RANGE, .each = each, .range_done = done, .arg = arg});
}

void lease_grant(struct etcd *etcd, int64_t id, uint64_t ttl_s, lease_done *done, void *arg)
{
    assert_ptr_equal(etcd, fake_etcd());
    fake_ask(&(struct fake_request){
        .kind = FAKE_GRANT, .lease = id, .ttl_s = ttl_s, .lease_done = done, .arg = arg});
}

void lease_keep_alive(struct etcd *etcd, int64_t id, lease_done *done, void *arg)
{
    assert_ptr_equal(etcd, fake_etcd());
    fake_ask(&(struct fake_request){
        .kind = FAKE_KEEP_ALIVE, .lease = id, .lease_done = done, .arg = arg});
}

void lease_time_left(struct etcd *etcd, int64_t id, lease_done *done, void *arg)
{
    assert_ptr_equal(etcd, fake_etcd());
    fake_ask(&(struct fake_request){
        .kind = FAKE_TIME_LEFT, .lease = id, .lease_done = done, .arg = arg});
}

void lease_revoke(struct etcd *etcd, int64_t id, lease_done *done, void *arg)
{
    assert_ptr_equal(etcd, fake_etcd());
    fake_ask(
        &(struct fake_request){.kind = FAKE_REVOKE, .lease = id, .lease_done = done, .arg = arg});
}

uint64_t uv_now(const uv_loop_t *loop)
{
    (void)loop;
    return fake.now_ms;
}

/* NULL: it is closing. */
static struct fake_timer *fake_find_timer(const uv_timer_t *timer)
{
    for (size_t i = 0; i < fake.timer_count; i++)
        if (fake.timers[i].timer == timer)
            return &fake.timers[i];
    return NULL;
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    (void)loop;
    assert_true(fake.timer_count < FAKE_TIMERS_MAX);
    fake.timers[fake.timer_count++] = (struct fake_timer){.timer = timer};
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb callback, uint64_t timeout_ms, uint64_t repeat)
{
    struct fake_timer *found = fake_find_timer(timer);
    assert_non_null(found);
    assert_int_equal(repeat, 0);
    *found = (struct fake_timer){timer, callback, fake.now_ms + timeout_ms, true};
    return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
    struct fake_timer *found = fake_find_timer(timer);
    if (found)
        found->is_active = false;
    return 0;
}

void uv_close(uv_handle_t *handle, uv_close_cb callback)
{
    struct fake_timer *found = fake_find_timer((uv_timer_t *)handle);
    assert_non_null(found);
    *found = fake.timers[--fake.timer_count];
    assert_true(fake.closing_count < FAKE_TIMERS_MAX);
    fake.closing[fake.closing_count] = handle;
    fake.closed[fake.closing_count++] = callback;
}
