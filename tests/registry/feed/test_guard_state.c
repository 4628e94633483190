#include "registry/feed/guard_state.h"
#include "support/fake_etcd.h"
#include "support/guard_world.h"

static void each_hold_ends_by_itself(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},   {20000, EXPIRE, 0, 10}, {20500, SHOWN, 0, 10},
        {24000, EXPIRE, 10, 5}, {24500, SHOWN, 0, 5},   {28000, EXPIRE, 15, 2},
        {28001, SHOWN, 0, 20},  {28001, HELD, 0, 17},   {29000, EXPIRE, 17, 1},
        {29001, HELD, 0, 18},   {79000, SHOWN, 0, 20},  {80500, SHOWN, 0, 10},
        {84500, SHOWN, 0, 5},   {88500, SHOWN, 0, 3},   {89500, SHOWN, 0, 2},
        {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
}

static void what_comes_back_is_held_no_more(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},  {20000, EXPIRE, 0, 20}, {25000, REGISTER, 0, 12},
        {25001, HELD, 0, 8},   {81000, SHOWN, 0, 12},  {81500, DELETE, 0, 1},
        {81501, SHOWN, 0, 11}, {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
    assert_int_equal(guard_world_counts().returned, 12);
    assert_int_equal(guard_world_counts().released, 8);
    assert_non_null(strstr(guard_world.log, "12 came back, 8 were let go"));
}

/* Held ones are under a lease that says at most 10 s; one that says less is left as it is. */
static void what_is_held_has_a_short_ttl(void **state)
{
    (void)state;
    guard_world_register(0, 0, 20);
    guard_world.ttl_s = 7;
    guard_world_register(1, 0, 20);
    guard_world_load();
    assert_int_equal(guard_world_shown_short(0), 0);
    guard_world_expire(0, 0, 20);
    guard_world_expire(1, 0, 20);
    fake_settle();
    assert_int_equal(guard_world_shown_short(0), 20);
    assert_int_equal(guard_world_shown_short(1), 20);
    guard_world.ttl_s = WORLD_TTL_S;
    guard_world_register(0, 0, 20);
    assert_int_equal(guard_world_shown_short(0), 0);
}

static void a_hold_shorter_than_the_window_holds_nothing_twice(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},   {20000, EXPIRE, 0, 17}, {20001, HELD, 0, 17}, {23000, HELD, 0, 0},
        {23500, EXPIRE, 17, 1}, {23501, HELD, 0, 1},    {26500, SHOWN, 0, 2}, {0, END, 0, 0},
    };
    (void)state;
    guard_world_close();
    guard_world_open(80, 2000);
    guard_world_play(rows);
}

int main(void)
{
#define TEST GUARD_WORLD_TEST
    const struct CMUnitTest tests[] = {
        TEST(each_hold_ends_by_itself),
        TEST(what_comes_back_is_held_no_more),
        TEST(what_is_held_has_a_short_ttl),
        TEST(a_hold_shorter_than_the_window_holds_nothing_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
