/* A check of the store with the n-th allocation failing, for all n: it is never said to differ for that. */
#include "client.h"
#include "follow_check.h"

#include "support/allocation.h"
#include "support/fake_store.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static struct fake_store store;
static struct follow_check_newest_key newest_key;
static unsigned done;
static enum follow_check_result result;

static void on_done(void *arg, enum follow_check_result said, const struct detail *why)
{
    (void)arg, (void)why;
    done++;
    result = said;
}

static bool on_key(void *arg, const struct kv *kv)
{
    (void)arg;
    newest_key.mod_revision = kv->mod_revision;
    newest_key.create_revision = kv->create_revision;
    newest_key.version = kv->version;
    newest_key.hash = follow_check_hash(kv);
    return true;
}

static void on_read(void *arg, enum status status, const struct kv_range_result *read,
                    const struct detail *why)
{
    (void)arg, (void)read, (void)why;
    done += status == STATUS_OK;
}

static void read_newest_key(void)
{
    const struct kv_range range = {.key = "/a", .key_len = 2};
    done = 0;
    newest_key = (struct follow_check_newest_key){.mod_revision = 0};
    buffer_init(&newest_key.key, 100);
    buffer_add_text(&newest_key.key, "/a");
    kv_range(store.client.etcd, &range, on_key, on_read, NULL);
    assert_true(CLIENT_LOOP_UNTIL(&store.client, done, 5000));
}

/* False: nothing failed. */
static bool check_without(unsigned left)
{
    assert_true(fake_store_start(&store, 1000));
    fake_store_put(&store, "/a", "1", 0);
    read_newest_key();
    const struct follow_check_expected expected = {.prefix = "/",
                                                   .prefix_len = 1,
                                                   .revision = store.revision,
                                                   .raft_term = 3,
                                                   .cluster_id = 1,
                                                   .newest_key = &newest_key};
    done = 0;
    allocation_begin(left);
    bool has_begun = follow_check_start(store.client.etcd, &store.client.etcd->members.list[0],
                                        &expected, on_done, NULL);
    assert_true(!has_begun || CLIENT_LOOP_UNTIL(&store.client, done, 5000));
    bool has_failed = allocation_end();
    assert_int_equal(done, has_begun);
    assert_true(has_begun || has_failed);
    if (has_begun)
        assert_true(result == FOLLOW_CHECK_SAME || (has_failed && result == FOLLOW_CHECK_UNKNOWN));
    assert_int_equal(fake_store_stop(&store), 0);
    buffer_clear(&newest_key.key);
    return has_failed;
}

static void what_could_not_be_read_is_no_difference(void **state)
{
    unsigned n = 0;
    (void)state;
    while (check_without(n))
        n++;
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_could_not_be_read_is_no_difference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
