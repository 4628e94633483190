#include "registry/feed/guard_type.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NOW 1000000

static struct guard_type type;

static int init_type(void **state)
{
    (void)state;
    guard_type_init(&type, NULL);
    return 0;
}

static int clear_type(void **state)
{
    (void)state;
    guard_type_clear(&type);
    return 0;
}

static void change(uint64_t at_ms, int by, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        guard_type_change(&type, at_ms, by);
}

static void what_changed_later_is_taken_off(void **state)
{
    (void)state;
    change(0, 1, 100);
    change(NOW, 1, 10);
    change(NOW + 5000, -1, 30);
    assert_int_equal(type.population, 80);
    assert_int_equal(guard_type_population(&type, NOW + 6000), 80);
    assert_int_equal(guard_type_population(&type, NOW + 4000), 110);
    assert_int_equal(guard_type_population(&type, NOW - 1000), 100);
    assert_int_equal(guard_type_population(&type, 0), 100);
}

/* Older changes than it remembers are as if they had always been. */
static void the_past_is_remembered_for_sixteen_seconds(void **state)
{
    (void)state;
    change(0, 1, 100);
    change(NOW, -1, 10);
    change(NOW + 15000, -1, 20);
    assert_int_equal(guard_type_population(&type, NOW - 1000), 100);
    change(NOW + 17000, -1, 1);
    assert_int_equal(guard_type_population(&type, NOW - 1000), 90);
    change(NOW + 10000000, -1, 1);
    assert_int_equal(guard_type_population(&type, NOW), 69);
    change(NOW, 1, 5); /* nor is a change that is so old */
    assert_int_equal(guard_type_population(&type, NOW), 74);
}

/* It is held after all: as if it had never gone. */
static void a_change_is_taken_back_at_its_time(void **state)
{
    (void)state;
    change(0, 1, 100);
    change(NOW, -1, 60);
    change(NOW + 9000, 1, 1);
    change(NOW, 1, 60);
    assert_int_equal(guard_type_population(&type, NOW + 1000), 100);
    assert_int_equal(guard_type_population(&type, NOW - 1000), 100);
}

static void a_small_type_has_no_history(void **state)
{
    (void)state;
    change(0, 1, 2);
    change(NOW, 1, 2);
    change(NOW, -1, 4);
    assert_null(type.history);
    change(NOW, 1, 5);
    assert_non_null(type.history);
}

static void all_of_five_are_remembered(void **state)
{
    (void)state;
    change(0, 1, 5);
    change(NOW, -1, 5);
    assert_int_equal(type.population, 0);
    assert_int_equal(guard_type_population(&type, NOW - 1000), 5);
}

static void five_and_more_than_the_share_are_too_many(void **state)
{
    static const struct {
        unsigned population, count, share;
        bool is_over;
    } rows[] = {
        {20, 16, 80, false}, {20, 17, 80, true}, {5, 5, 80, true},     {5, 5, 99, true},
        {4, 4, 80, false},   {0, 5, 80, true},   {100, 1, 1, false},   {499, 5, 1, true},
        {500, 5, 1, false},  {500, 6, 1, true},  {100, 99, 99, false}, {100, 100, 99, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        guard_type_clear(&type);
        guard_type_init(&type, NULL);
        change(0, 1, rows[i].population);
        assert_int_equal(guard_type_is_over(&type, rows[i].count, NOW, rows[i].share),
                         rows[i].is_over);
    }
}

static void the_oldest_leave_the_window_first(void **state)
{
    struct guard_gone gone[3] = {{.gone_ms = NOW}, {.gone_ms = NOW + 1}, {.gone_ms = NOW + 1}};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        guard_type_add(&type, &gone[i]);
    assert_null(guard_type_outdated(&type, NOW + GUARD_WINDOW_MS));
    assert_ptr_equal(guard_type_outdated(&type, NOW + GUARD_WINDOW_MS + 1), &gone[0]);
    guard_type_drop(&type, &gone[0]);
    guard_type_drop(&type, &gone[0]); /* it is out already */
    assert_null(guard_type_outdated(&type, NOW + GUARD_WINDOW_MS + 1));
    assert_int_equal(type.window_count, 2);
}

/* In their order, whatever the order of what becomes known. */
static void they_count_as_far_as_all_before_are_known(void **state)
{
    struct guard_gone gone[4] = {
        {.gone_ms = NOW}, {.gone_ms = NOW}, {.gone_ms = NOW}, {.gone_ms = NOW}};
    (void)state;
    for (size_t i = 0; i < 4; i++)
        guard_type_add(&type, &gone[i]);
    gone[1].is_expired = true;
    assert_null(guard_type_count_next(&type));
    gone[0].is_expired = true;
    assert_ptr_equal(guard_type_count_next(&type), &gone[0]);
    assert_ptr_equal(guard_type_count_next(&type), &gone[1]);
    assert_null(guard_type_count_next(&type));
    assert_int_equal(type.expired_count, 2);
    guard_type_drop(&type, &gone[2]); /* it was deleted on purpose */
    gone[3].is_expired = true;
    assert_ptr_equal(guard_type_count_next(&type), &gone[3]);
    assert_int_equal(type.expired_count, 3);
    guard_type_drop(&type, &gone[0]);
    assert_int_equal(type.expired_count, 2);
    assert_null(type.next);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, init_type, clear_type)
    const struct CMUnitTest tests[] = {
        TEST(what_changed_later_is_taken_off),    TEST(the_past_is_remembered_for_sixteen_seconds),
        TEST(a_change_is_taken_back_at_its_time), TEST(a_small_type_has_no_history),
        TEST(all_of_five_are_remembered),         TEST(five_and_more_than_the_share_are_too_many),
        TEST(the_oldest_leave_the_window_first),  TEST(they_count_as_far_as_all_before_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
