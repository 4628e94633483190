/* Against the fake gateway. The loop's clock is set by hand: nothing waits. */
#include "registry/shared_lease.h"

#include "registry/etcd/lease.h"
#include "support/fake_store.h"

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static struct fake_store etcd;
static struct shared_leases leases;
static struct {
    unsigned granted, failed;
} told;

static void on_granted(void *arg, enum status status, const struct detail *why)
{
    (void)why;
    assert_ptr_equal(arg, &told);
    told.granted += status == STATUS_OK;
    told.failed += status != STATUS_OK;
}

static int set_up(void **state)
{
    (void)state;
    memset(&told, 0, sizeof(told));
    if (!fake_store_start(&etcd, 2000))
        return -1;
    shared_lease_init(&leases, etcd.client.etcd, &etcd.client.loop, on_granted, &told);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_loop_close_client(&etcd.client);
    shared_lease_clear(&leases);
    return fake_store_stop(&etcd);
}

/* For a key; it is given back at once. */
static int64_t take(uint64_t ttl_s)
{
    struct shared_lease *lease;
    assert_int_equal(shared_lease_take(&leases, ttl_s, &lease), STATUS_OK);
    int64_t id = lease->id;
    shared_lease_release(lease);
    return id;
}

static void grant_all(void)
{
    shared_lease_ask(&leases);
    assert_true(
        CLIENT_LOOP_UNTIL(&etcd.client, (shared_lease_ask(&leases), leases.grants == 0), 5000));
}

static void keys_of_a_ttl_share_up_to_a_thousand(void **state)
{
    (void)state;
    int64_t first = take(30);
    for (int i = 1; i < LEASE_KEYS_MAX; i++)
        assert_int_equal(take(30), first);
    int64_t second = take(30);
    assert_int_not_equal(second, first);
    assert_int_equal(take(30), second);
    assert_int_not_equal(take(31), second);
    grant_all();
    assert_int_equal(etcd.grants, 3);
    assert_int_equal(fake_store_lease(&etcd, first)->ttl_s, 30);
    assert_int_equal(fake_store_lease(&etcd, second)->ttl_s, 30);
    assert_int_equal(told.granted, 3);
}

static void a_lease_takes_no_key_once_half_its_time_is_over(void **state)
{
    (void)state;
    struct shared_lease *lease;
    assert_int_equal(shared_lease_take(&leases, 20, &lease), STATUS_OK);
    etcd.client.loop.time += 60000; /* it is not granted yet, so that its time has not begun */
    assert_int_equal(take(20), lease->id);
    grant_all();
    assert_true(lease->is_granted);
    etcd.client.loop.time = lease->granted_ms + 10000;
    assert_int_equal(take(20), lease->id);
    etcd.client.loop.time++;
    assert_int_not_equal(take(20), lease->id);
    shared_lease_release(lease);
}

/* The TTL that a key gets when so many others came before it. */
static void many_ttls_are_rounded_up_a_little(void **state)
{
    (void)state;
    for (uint64_t ttl_s = 1001; ttl_s <= 1000 + SHARED_LEASE_TTLS_MAX; ttl_s++)
        take(ttl_s);
    assert_int_equal(leases.group_count, SHARED_LEASE_TTLS_MAX);
    assert_int_equal(leases.groups[SHARED_LEASE_TTLS_MAX - 1].ttl_s, 1000 + SHARED_LEASE_TTLS_MAX);
    assert_true(take(1000000) == take(1000001)); /* the next one is rounded */
    struct shared_lease *lease;
    for (uint64_t ttl_s = 1; ttl_s <= LEASE_TTL_MAX_S; ttl_s += 1 + ttl_s / 61) {
        assert_int_equal(shared_lease_take(&leases, ttl_s, &lease), STATUS_OK);
        bool is_exact = ttl_s <= 50 || (ttl_s > 1000 && ttl_s <= 1000 + SHARED_LEASE_TTLS_MAX);
        assert_true(lease->ttl_s >= ttl_s && lease->ttl_s <= LEASE_TTL_MAX_S);
        assert_true(lease->ttl_s - ttl_s <= ttl_s / 50);
        assert_true(!is_exact || lease->ttl_s == ttl_s);
        shared_lease_release(lease);
    }
    assert_int_equal(shared_lease_take(&leases, LEASE_TTL_MAX_S, &lease), STATUS_OK);
    assert_int_equal(lease->ttl_s, LEASE_TTL_MAX_S);
    shared_lease_release(lease);
    assert_in_range(leases.group_count, 900, 1200);
    /* All TTLs between two are one. */
    size_t count = leases.group_count;
    for (uint64_t ttl_s = 1000000; ttl_s < 1020000; ttl_s++)
        take(ttl_s);
    assert_true(leases.group_count <= count + 1);
}

static void some_grants_are_under_way_at_a_time(void **state)
{
    (void)state;
    etcd.is_mute = true;
    for (uint64_t ttl_s = 1; ttl_s <= 20; ttl_s++)
        take(ttl_s);
    shared_lease_ask(&leases);
    shared_lease_ask(&leases);
    assert_int_equal(leases.grants, 8);
    assert_int_equal(leases.waiting_count, 12);
    shared_lease_drop(&leases);
    assert_int_equal(leases.waiting_count, 0);
    client_loop_close_client(&etcd.client);
    assert_int_equal(told.failed, 8);
    assert_int_equal(leases.grants, 0);
}

static void a_grant_that_fails_is_told_and_is_none(void **state)
{
    (void)state;
    struct shared_lease *lease;
    etcd.fail =
        (struct fake_row){"/v3/lease/grant", 403,
                          "{\"error\":\"etcdserver: permission denied\",\"code\":7}", FAKE_KEEP, 1};
    assert_int_equal(shared_lease_take(&leases, 5, &lease), STATUS_OK);
    grant_all();
    assert_true(told.failed == 1 && told.granted == 0);
    assert_false(lease->is_granted);
    shared_lease_release(lease);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_of_a_ttl_share_up_to_a_thousand),
        TEST(a_lease_takes_no_key_once_half_its_time_is_over),
        TEST(many_ttls_are_rounded_up_a_little),
        TEST(some_grants_are_under_way_at_a_time),
        TEST(a_grant_that_fails_is_told_and_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
