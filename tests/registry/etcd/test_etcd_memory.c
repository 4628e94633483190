/* Whatever is asked of etcd with the n-th allocation failing, for all n: it ends once, is right or says what is missing,
 * never promises that a write was not done that was, and the client is none the worse. */
#include "registry/etcd/kv.h"
#include "registry/etcd/lease.h"
#include "support/allocation.h"
#include "support/fake_store.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Short: many a failure costs an answer, which is waited for. */
#define IMPATIENT_MS 25
#define PATIENT_MS   5000

static struct fake_store store;

static struct outcome {
    unsigned done;
    enum status status;
    size_t keys;
    bool is_right;
} outcome;

static bool on_key(void *arg, const struct kv *kv)
{
    (void)arg, (void)kv;
    outcome.keys++;
    return true;
}

static void on_range(void *arg, enum status status, const struct kv_range_result *result,
                     const struct detail *why)
{
    (void)arg, (void)why;
    outcome.done++;
    outcome.status = status;
    outcome.is_right = outcome.keys == 3 && result->count == 3;
}

static void ask_range(void)
{
    const struct kv_range range = {.key = "/a", .key_len = 2, .end = "/b", .end_len = 2, .page = 2};
    kv_range(store.client.etcd, &range, on_key, on_range, NULL);
}

static void on_txn(void *arg, enum status status, const struct kv_txn_result *result,
                   const struct detail *why)
{
    (void)arg, (void)why;
    outcome.done++;
    outcome.status = status;
    outcome.is_right = result->succeeded && result->op_count == 1;
}

/* A write that may not be sent twice. */
static void ask_txn(void)
{
    const struct kv_op put = {
        .kind = KV_PUT, .key = "/w", .key_len = 2, .value = "new", .value_len = 3};
    const struct kv_txn txn = {.success = &put, .success_count = 1};
    kv_txn(store.client.etcd, &txn, on_txn, NULL);
}

static void on_read(void *arg, enum status status, const struct kv_txn_result *result,
                    const struct detail *why)
{
    (void)arg, (void)why;
    outcome.done++;
    outcome.status = status;
    const struct kv *found = status == STATUS_OK ? kv_guard_found(result) : NULL;
    outcome.is_right = found && strcmp(found->value, "1") == 0;
}

static void ask_guard(void)
{
    struct kv_guard guard;
    kv_guard_init(&guard, "/a/1", 4, 0, NULL);
    kv_txn(store.client.etcd, &guard.txn, on_read, NULL);
}

static void on_lease(void *arg, const struct lease_result *result)
{
    (void)arg;
    outcome.done++;
    outcome.status = result->status;
    outcome.is_right = result->left_s == 30;
}

static void ask_lease(void)
{
    lease_time_left(store.client.etcd, 5, on_lease, NULL);
}

static void ask_grant(void)
{
    lease_grant(store.client.etcd, 77, 30, on_lease, NULL);
}

static const struct row {
    void (*ask)(void);
    bool is_write;
} rows[] = {{ask_range, false},
            {ask_txn, true},
            {ask_guard, false},
            {ask_lease, false},
            {ask_grant, false}};

/* By a name, so that there are addresses to be looked up, and with a user, so that there is a token. */
static void open_store(uint32_t timeout_ms)
{
    char endpoint[64];
    assert_true(fake_store_start(&store, timeout_ms));
    client_loop_close_client(&store.client);
    snprintf(endpoint, sizeof(endpoint), "localhost%s", strchr(store.gateway.endpoint, ':'));
    const struct etcd_options options = {
        .user = "bob", .password = "secret", .timeout_ms = timeout_ms};
    assert_int_equal(client_loop_connect(&store.client, endpoint, options), STATUS_OK);
    fake_store_add_lease(&store, 5, 60, 30);
    fake_store_put(&store, "/a/1", "1", 5);
    fake_store_put(&store, "/a/2", "2", 0);
    fake_store_put(&store, "/a/3", "3", 0);
}

static void ask(const struct row *row)
{
    outcome = (struct outcome){0};
    row->ask();
    assert_true(CLIENT_LOOP_UNTIL(&store.client, outcome.done, PATIENT_MS * 2));
    client_loop_run_for(&store.client, 0);
    assert_int_equal(outcome.done, 1);
}

/* False: nothing failed. */
static bool ask_without(const struct row *row, unsigned left, uint32_t timeout_ms)
{
    open_store(timeout_ms);
    int64_t revision = store.revision;
    allocation_begin(left);
    ask(row);
    bool has_failed = allocation_end();
    if (outcome.status == STATUS_OK)
        assert_true(outcome.is_right);
    else
        assert_true(has_failed || timeout_ms == IMPATIENT_MS);
    /* Done, or perhaps done: TIMED_OUT says that nobody knows. */
    if (row->is_write && store.revision != revision)
        assert_true(outcome.status == STATUS_OK || outcome.status == STATUS_TIMED_OUT);
    assert_int_equal(fake_store_stop(&store), 0);
    return has_failed;
}

static void it_ends_once_and_promises_nothing_false(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned n = 0;
        while (ask_without(&rows[i], n, IMPATIENT_MS) || ask_without(&rows[i], n, PATIENT_MS))
            n++;
        assert_true(n > 30);
    }
}

/* What was lacking is not taken for an answer: with memory the same client is answered at once. */
static void a_client_outlives_a_failure(void **state)
{
    (void)state;
    open_store(PATIENT_MS);
    for (unsigned n = 0; n < 120; n++) {
        allocation_begin(n);
        ask(&rows[n % COUNT(rows)]);
        allocation_end();
        ask(&rows[2]);
        assert_int_equal(outcome.status, STATUS_OK);
        assert_true(outcome.is_right);
    }
    assert_int_equal(fake_store_stop(&store), 0);
}

/* With the old password as long as there is no memory for the new one. */
static void a_reload_without_memory_changes_nothing(void **state)
{
    bool has_failed = true;
    unsigned n = 0;
    (void)state;
    open_store(PATIENT_MS);
    for (; has_failed; n++) {
        struct detail why;
        allocation_begin(n);
        enum status status = etcd_reload(store.client.etcd, "other", &why);
        has_failed = allocation_end();
        assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
        ask(&rows[2]);
        assert_int_equal(outcome.status, STATUS_OK);
    }
    assert_true(n > 2);
    assert_int_equal(fake_store_stop(&store), 0);
}

static void a_client_is_opened_whole_or_not(void **state)
{
    const struct etcd_options options = {
        .user = "bob", .password = "secret", .discovery_srv = "example.com"};
    (void)state;
    bool has_failed = true;
    unsigned n = 0;
    for (; has_failed; n++) {
        struct client_loop client;
        client_loop_open(&client);
        allocation_begin(n);
        enum status status = client_loop_connect(&client, "127.0.0.1:1", options);
        has_failed = allocation_end();
        if (has_failed)
            assert_true(status == STATUS_NO_MEMORY && !client.etcd);
        else
            assert_int_equal(status, STATUS_OK);
        assert_int_equal(client_loop_close(&client), 0);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_ends_once_and_promises_nothing_false),
        cmocka_unit_test(a_client_outlives_a_failure),
        cmocka_unit_test(a_reload_without_memory_changes_nothing),
        cmocka_unit_test(a_client_is_opened_whole_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
