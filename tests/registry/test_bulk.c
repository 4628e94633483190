/* Against the fake gateway. */
#include "registry/bulk.h"

#include "registry/etcd/lease.h"
#include "support/fake_store.h"

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define UNDER_WAY 8
#define LIMIT_MS  10000

static struct fake_store etcd;
static struct bulk *bulk;
static unsigned progress;

static void on_progress(void *arg)
{
    assert_ptr_equal(arg, &progress);
    progress++;
}

static int set_up(void **state)
{
    (void)state;
    progress = 0;
    return fake_store_start(&etcd, 1000) && bulk_new(etcd.client.etcd, &etcd.client.loop,
                                                     on_progress, &progress, &bulk) == STATUS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    if (etcd.client.etcd)
        client_loop_close_client(&etcd.client);
    bulk_free(bulk);
    return fake_store_stop(&etcd);
}

static enum status add(unsigned number, const char *value, uint64_t ttl_s)
{
    struct kv_key key;
    key.len = (size_t)snprintf(key.text, sizeof(key.text), "/foo/%04u", number);
    return bulk_add(bulk, &key, value, strlen(value), ttl_s);
}

static void add_many(unsigned first, unsigned count, const char *value, uint64_t ttl_s)
{
    for (unsigned i = first; i < first + count; i++)
        assert_int_equal(add(i, value, ttl_s), STATUS_OK);
}

static enum status finish(void)
{
    struct detail why;
    bulk_flush(bulk, UINT64_MAX);
    assert_true(CLIENT_LOOP_UNTIL(&etcd.client, bulk_is_idle(bulk), LIMIT_MS));
    return bulk_status(bulk, &why);
}

static void assert_there(unsigned first, unsigned count, const char *value)
{
    char key[16];
    for (unsigned i = first; i < first + count; i++) {
        snprintf(key, sizeof(key), "/foo/%04u", i);
        const struct fake_store_key *found = fake_store_find(&etcd, key);
        assert_non_null(found);
        assert_string_equal(found->value, value);
    }
}

/* New keys take two transactions, one to see that they are new. Once some are not, a look is due:
 * three for the first such batch, two for each behind it. */
static void what_is_there_already_is_looked_at_first(void **state)
{
    (void)state;
    add_many(0, 128, "old", 0);
    assert_int_equal(finish(), STATUS_OK);
    assert_true(etcd.txns == 2 && etcd.writes == 1);
    add_many(100, 128, "new", 0);
    assert_int_equal(finish(), STATUS_OK);
    assert_true(etcd.txns == 5 && etcd.writes == 2);
    add_many(220, 20, "newer", 0);
    assert_int_equal(finish(), STATUS_OK);
    assert_true(etcd.txns == 7 && etcd.writes == 3);
    assert_there(0, 100, "old");
    assert_there(100, 120, "new");
    assert_there(220, 20, "newer");
    assert_int_equal(bulk_written(bulk), 276);
    assert_int_equal(bulk_unsure(bulk), 0);
    assert_true(progress >= 7);
}

static void keys_are_under_the_lease_of_their_ttl(void **state)
{
    (void)state;
    add_many(0, 5, "h:1", 30);
    add_many(5, 5, "h:1", 0);
    add_many(10, 5, "h:1", 40);
    add_many(15, 5, "h:1", 30);
    assert_int_equal(finish(), STATUS_OK);
    assert_int_equal(etcd.grants, 2);
    for (size_t i = 0; i < 20; i++) {
        static const int64_t ttls[] = {30, 0, 40, 30};
        int64_t lease = etcd.keys[i].lease;
        assert_int_equal(lease ? fake_store_lease(&etcd, lease)->ttl_s : 0, ttls[i / 5]);
    }
}

/* Another process changes a key between each look and write, so many times. */
static unsigned changes;

static void decide_changed(void *arg, const char *path, const char *body, struct fake_row *row)
{
    bool is_write = strstr(body, "request_put") && strstr(body, "\"compare\":[{");
    if (is_write && changes > 0) {
        changes--;
        fake_store_put(&etcd, "/foo/0000", "theirs", 0);
    }
    fake_store_decide(arg, path, body, row);
}

static void what_changed_since_the_look_is_looked_at_again(void **state)
{
    (void)state;
    changes = 10;
    etcd.gateway.decide = decide_changed;
    add_many(0, 2, "ours", 0);
    assert_int_equal(finish(), STATUS_OK);
    assert_int_equal(changes, 0);
    assert_there(0, 2, "ours");
    changes = UINT_MAX;
    add_many(0, 2, "ours again", 0);
    assert_int_equal(finish(), STATUS_CONFLICT);
    assert_there(1, 1, "ours");
    assert_int_equal(bulk_written(bulk), 2);
    assert_int_equal(bulk_unsure(bulk), 0);
}

static void an_etcd_that_takes_few_operations_gets_few(void **state)
{
    (void)state;
    etcd.ops_max = 10;
    add_many(0, 200, "h:1", 0);
    assert_int_equal(finish(), STATUS_OK);
    assert_int_equal(bulk_written(bulk), 200);
    assert_there(0, 200, "h:1");
    unsigned txns = etcd.txns;
    add_many(200, 80, "h:1", 0);
    assert_int_equal(finish(), STATUS_OK);
    assert_int_equal(etcd.txns, txns + 2 * 10); /* 8 to each from the start: 128 halved */
}

static void an_etcd_that_takes_few_octets_gets_few(void **state)
{
    (void)state;
    etcd.octets_max = 3000;
    add_many(0, 200, "h:1", 0);
    assert_int_equal(finish(), STATUS_OK);
    assert_there(0, 200, "h:1");
    assert_true(etcd.txns <= 40); /* and no fewer than it takes */
    etcd.octets_max = 10;
    assert_int_equal(add(300, "h:1", 0), STATUS_OK);
    assert_int_equal(finish(), STATUS_TOO_LARGE);
    assert_int_equal(bulk_written(bulk), 200);
    assert_int_equal(bulk_unsure(bulk), 0);
}

/* A transaction does not wait for one before it whose lease is due, but for its own. */
static void nothing_is_written_before_its_lease_is_granted(void **state)
{
    (void)state;
    etcd.fail = (struct fake_row){"/v3/lease/grant", 200, NULL, FAKE_MUTE, 1};
    add_many(0, 3, "h:1", 30);
    bulk_flush(bulk, UINT64_MAX);
    assert_true(CLIENT_LOOP_UNTIL(&etcd.client, etcd.fail.uses == 0, LIMIT_MS));
    client_loop_run_for(&etcd.client, 100);
    assert_int_equal(etcd.txns, 0);
    assert_false(bulk_is_idle(bulk));
}

static void decide_lease_gone(void *arg, const char *path, const char *body, struct fake_row *row)
{
    fake_store_decide(arg, path, strstr(body, "request_put") ? "{}" : body, row);
    if (!strstr(body, "request_put"))
        return;
    row->status = 404;
    row->body = "{\"error\":\"etcdserver: requested lease not found\",\"code\":5}";
}

static void a_lease_that_ran_out_ends_it(void **state)
{
    (void)state;
    etcd.gateway.decide = decide_lease_gone;
    add_many(3, 3, "h:1", 30);
    assert_int_equal(finish(), STATUS_NOT_FOUND);
    assert_int_equal(bulk_unsure(bulk), 0);
    /* Nothing more is sent, and what was added is not waited for. */
    unsigned txns = etcd.txns;
    assert_int_equal(add(9, "h:1", 30), STATUS_NOT_FOUND);
    assert_int_equal(finish(), STATUS_NOT_FOUND);
    assert_int_equal(etcd.txns, txns);
}

/* In base64. */
static const char *refused_key;

static void decide_refused(void *arg, const char *path, const char *body, struct fake_row *row)
{
    fake_store_decide(arg, path, strstr(body, refused_key) ? "{}" : body, row);
    if (!strstr(body, refused_key))
        return;
    row->status = 429;
    row->body = "{\"error\":\"etcdserver: mvcc: database space exceeded\",\"code\":8}";
}

/* One is refused; what is answered behind it would have to be sent again. */
static void what_was_under_way_is_not_gone_on_with(void **state)
{
    (void)state;
    static const char *const keys[] = {"L2Zvby8wMDAw", "L2Zvby8wMDcw"}; /* of the first, the last */
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < 2; i++) {
        if (i > 0)
            assert_int_equal(tear_down(state) + set_up(state), 0);
        refused_key = keys[i];
        etcd.gateway.decide = decide_refused;
        for (unsigned n = 0; n < UNDER_WAY; n++) {
            add_many(n * 10, 10, "h:1", 0);
            bulk_flush(bulk, UINT64_MAX);
        }
        assert_int_equal(finish(), STATUS_NO_SPACE);
        assert_int_equal(bulk_written(bulk), etcd.key_count);
        assert_int_equal(bulk_unsure(bulk), 0);
        least = etcd.key_count < least ? etcd.key_count : least;
    }
    assert_true(least < 10 * (UNDER_WAY - 1));
}

static void a_grant_that_fails_ends_it(void **state)
{
    (void)state;
    etcd.fail =
        (struct fake_row){"/v3/lease/grant", 403,
                          "{\"error\":\"etcdserver: permission denied\",\"code\":7}", FAKE_KEEP, 1};
    add_many(0, 3, "h:1", 30);
    assert_int_equal(finish(), STATUS_DENIED);
    assert_int_equal(etcd.txns, 0);
}

static void decide_mute_writes(void *arg, const char *path, const char *body, struct fake_row *row)
{
    fake_store_decide(arg, path, body, row);
    if (strstr(body, "request_put"))
        row->end = FAKE_MUTE;
}

/* They were written, as it happens; but the answer did not come. */
static void what_is_not_answered_may_have_been_written(void **state)
{
    (void)state;
    etcd.gateway.decide = decide_mute_writes;
    add_many(0, 5, "h:1", 0);
    assert_int_equal(finish(), STATUS_TIMED_OUT);
    assert_there(0, 5, "h:1");
    assert_int_equal(bulk_written(bulk), 0);
    assert_int_equal(bulk_unsure(bulk), 5);
}

static void closing_the_client_ends_it(void **state)
{
    (void)state;
    etcd.gateway.decide = decide_mute_writes;
    add_many(0, 200, "h:1", 30);
    bulk_flush(bulk, UINT64_MAX);
    assert_true(CLIENT_LOOP_UNTIL(&etcd.client, etcd.writes == 2, LIMIT_MS));
    add_many(300, 128, "h:1", 40);
    add_many(500, 1, "h:1", 50);
    assert_false(bulk_is_idle(bulk));
    client_loop_close_client(&etcd.client);
    struct detail why;
    assert_true(bulk_is_idle(bulk));
    assert_int_equal(bulk_status(bulk, &why), STATUS_CANCELLED);
    assert_int_equal(bulk_unsure(bulk), 200);
}

static void it_is_full_when_enough_is_under_way(void **state)
{
    (void)state;
    etcd.is_mute = true;
    for (unsigned i = 0; i < UNDER_WAY; i++) {
        assert_false(bulk_is_full(bulk));
        add_many(i * 128, 128, "h:1", 0);
    }
    assert_true(bulk_is_full(bulk));
    add_many(5000, 128, "h:1", 0);
    assert_true(CLIENT_LOOP_UNTIL(&etcd.client, etcd.txns == UNDER_WAY, LIMIT_MS));
    client_loop_run_for(&etcd.client, 50);
    assert_int_equal(etcd.txns, UNDER_WAY);
    client_loop_close_client(&etcd.client);
    assert_int_equal(bulk_unsure(bulk), 0); /* nothing was to be written yet */
}

/* The loop's clock is set by hand. */
static void a_batch_waits_as_long_as_its_owner_says(void **state)
{
    (void)state;
    uint64_t now_ms = uv_now(&etcd.client.loop);
    add_many(0, 1, "h:1", 0);
    etcd.client.loop.time = now_ms + 100;
    add_many(1, 1, "h:1", 0);
    assert_true(bulk_is_idle(bulk));
    bulk_flush(bulk, now_ms - 1);
    assert_true(bulk_is_idle(bulk));
    bulk_flush(bulk, now_ms);
    assert_false(bulk_is_idle(bulk));
    assert_int_equal(finish(), STATUS_OK);
    assert_int_equal(etcd.writes, 1);
    assert_there(0, 2, "h:1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_there_already_is_looked_at_first),
        TEST(keys_are_under_the_lease_of_their_ttl),
        TEST(what_changed_since_the_look_is_looked_at_again),
        TEST(an_etcd_that_takes_few_operations_gets_few),
        TEST(an_etcd_that_takes_few_octets_gets_few),
        TEST(nothing_is_written_before_its_lease_is_granted),
        TEST(a_lease_that_ran_out_ends_it),
        TEST(what_was_under_way_is_not_gone_on_with),
        TEST(a_grant_that_fails_ends_it),
        TEST(what_is_not_answered_may_have_been_written),
        TEST(closing_the_client_ends_it),
        TEST(it_is_full_when_enough_is_under_way),
        TEST(a_batch_waits_as_long_as_its_owner_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
