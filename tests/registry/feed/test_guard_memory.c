/* The guard when the n-th allocation fails, and when all do: what is in etcd is shown all the same, what is not is
 * shown only while it is held, and in the end both are the same.
 *
 * Linked with malloc(), calloc() and realloc() wrapped. */
#include "support/allocation.h"
#include "support/fake_etcd.h"
#include "support/guard_world.h"

#define HOLD_MS   60000
#define INSTANCES 20

static unsigned in_etcd(unsigned type)
{
    unsigned count = 0;
    for (unsigned i = 0; i < WORLD_INSTANCES; i++) {
        count += guard_world.instances[type][i].is_there;
        if (guard_world.instances[type][i].is_there)
            assert_true(guard_world_is_shown(type, i));
    }
    return count;
}

/* Follow compares this with etcd's number of keys: whatever the guard keeps must not count. */
static void check(void)
{
    assert_int_equal(guard_events.count(guard_world.guard), in_etcd(0) + in_etcd(1));
}

static void live(void)
{
    guard_world_register(0, 0, INSTANCES);
    guard_world_register(1, 0, INSTANCES);
    guard_world_register_bare(1, INSTANCES, INSTANCES);
    guard_world_load();
    check();
    fake_run_for(20000);
    guard_world_expire(0, 0, 10);
    guard_world_delete(0, 10, 2);
    fake_settle();
    check();
    guard_world_expire(0, 12, INSTANCES - 12);
    guard_world_miss(1, 0, INSTANCES, true);
    fake_settle();
    guard_world_load();
    fake_settle();
    check();
    guard_world_register(0, 3, 5);
    guard_world_delete(1, INSTANCES, INSTANCES);
    guard_world_delete(0, 5, 1);
    fake_run_for(HOLD_MS / 2);
    check();
}

/* False: nothing has failed. */
static bool live_without(unsigned good, unsigned bad)
{
    bool has_failed;
    allocation_begin_many(good, bad);
    if (guard_world_try_open(80, HOLD_MS) != STATUS_OK) {
        assert_true(allocation_end());
        assert_null(guard_world.guard);
        return true;
    }
    live();
    has_failed = allocation_end();
    fake_run_for(HOLD_MS);
    check();
    assert_int_equal(guard_world_shown(0), 4);
    assert_int_equal(guard_world_shown(1), 0);
    assert_int_equal(guard_world_counts().held, 0);
    guard_world_close();
    return has_failed;
}

static void nothing_is_lost_when_one_allocation_fails(void **state)
{
    (void)state;
    for (unsigned good = 0; live_without(good, 1); good++)
        assert_in_range(good, 0, 2000);
}

static void nothing_is_lost_when_there_is_no_memory_from_some_moment_on(void **state)
{
    (void)state;
    for (unsigned good = 0; live_without(good, ALLOCATION_ALL); good++)
        assert_in_range(good, 0, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_when_one_allocation_fails),
        cmocka_unit_test(nothing_is_lost_when_there_is_no_memory_from_some_moment_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
