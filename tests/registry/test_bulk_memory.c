/* Keys that are written with the n-th allocation failing, for all n. */
#include "registry/bulk.h"
#include "support/allocation.h"
#include "support/fake_store.h"

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define KEYS 6

static struct fake_store etcd;

static void on_progress(void *arg)
{
    (void)arg;
}

static enum status write_all(struct bulk *bulk)
{
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < KEYS && status == STATUS_OK; i++) {
        struct kv_key key;
        key.len = (size_t)snprintf(key.text, sizeof(key.text), "/foo/%u", i);
        status = bulk_add(bulk, &key, "h:1", 3, i % 3 * 30);
    }
    bulk_flush(bulk, UINT64_MAX);
    assert_true(CLIENT_LOOP_UNTIL(&etcd.client, bulk_is_idle(bulk), 10000));
    struct detail why;
    return bulk_status(bulk, &why);
}

/* False: nothing failed. The batch has to be split, too. */
static bool write_without(unsigned left, uint32_t timeout_ms)
{
    struct bulk *bulk = NULL;
    assert_true(fake_store_start(&etcd, timeout_ms));
    etcd.ops_max = KEYS / 2;
    allocation_begin(left);
    cJSON_InitHooks(NULL); /* it is the store's, too */
    enum status status = bulk_new(etcd.client.etcd, &etcd.client.loop, on_progress, NULL, &bulk);
    if (status == STATUS_OK)
        status = write_all(bulk);
    bool has_failed = allocation_end();
    assert_true(has_failed || status == STATUS_OK || timeout_ms < 1000);
    if (status == STATUS_OK)
        assert_int_equal(etcd.key_count, KEYS);
    if (bulk)
        assert_true(bulk_written(bulk) <= etcd.key_count &&
                    bulk_written(bulk) + bulk_unsure(bulk) >= etcd.key_count);
    client_loop_close_client(&etcd.client);
    bulk_free(bulk);
    assert_int_equal(fake_store_stop(&etcd), 0);
    return has_failed;
}

static void without_memory_it_says_what_is_written(void **state)
{
    (void)state;
    unsigned n = 0;
    /* Soon given up, since many a failure costs an answer; and looked at again, whether that was why nothing failed. */
    while (write_without(n, 50) || write_without(n, 5000))
        n++;
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_memory_it_says_what_is_written)};
    allocation_count_cjson();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
