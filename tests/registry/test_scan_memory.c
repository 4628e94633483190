/* A scan whose n-th allocation fails, for all n. */
#include "registry/scan.h"
#include "support/allocation.h"
#include "support/fake_store.h"

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static struct fake_store etcd;

struct outcome {
    size_t rows;
    unsigned done;
    enum status status;
};

static enum status on_page(void *arg, const struct scan_row *rows, size_t count)
{
    struct outcome *outcome = arg;
    (void)rows;
    outcome->rows += count;
    return STATUS_OK;
}

static void on_done(void *arg, enum status status, const struct detail *why)
{
    struct outcome *outcome = arg;
    (void)why;
    outcome->done++;
    outcome->status = status;
}

/* False: nothing failed. */
static bool scan_without(unsigned left, uint32_t timeout_ms)
{
    struct outcome outcome = {0};
    struct kv_key prefix = {"/foo/", 5};
    assert_true(fake_store_start(&etcd, timeout_ms));
    fake_store_add_lease(&etcd, 5, 60, 30);
    fake_store_add_lease(&etcd, 6, 60, 30);
    fake_store_put(&etcd, "/foo/a", "1", 5);
    fake_store_put(&etcd, "/foo/b", "2", 6);
    allocation_begin(left);
    cJSON_InitHooks(NULL); /* it is the store's, too */
    bool has_begun = scan_start(etcd.client.etcd, &prefix, on_page, on_done, &outcome);
    assert_true(!has_begun || CLIENT_LOOP_UNTIL(&etcd.client, outcome.done, 10000));
    bool has_failed = allocation_end();
    assert_int_equal(outcome.done, has_begun);
    assert_true(has_failed || outcome.status == STATUS_OK || timeout_ms < 1000);
    assert_true(!has_begun || outcome.status != STATUS_OK || outcome.rows == 2);
    assert_int_equal(fake_store_stop(&etcd), 0);
    return has_failed;
}

static void a_scan_without_memory_ends_once_and_never_half(void **state)
{
    (void)state;
    unsigned n = 0;
    /* Soon given up, since many a failure costs an answer; and looked at again, whether that was why nothing failed. */
    while (scan_without(n, 50) || scan_without(n, 5000))
        n++;
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scan_without_memory_ends_once_and_never_half)};
    allocation_count_cjson();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
