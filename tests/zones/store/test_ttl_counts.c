#include "zones/store/ttl_counts.h"

#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static void knows_the_least(void **state)
{
    (void)state;
    static const struct {
        bool is_add;
        uint32_t ttl_s, least;
    } rows[] = {
        {true, 10, 10}, {true, 255, 10}, {true, 7, 7},   {true, 5, 5},
        {true, 7, 5},   {false, 5, 7},   {false, 7, 7},  {false, 10, 7},
        {false, 7, 10}, {true, 0, 0},    {false, 0, 10}, {false, 255, 10},
    };
    struct ttl_counts ttls = {NULL};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].is_add)
            assert_int_equal(ttl_counts_add(&ttls, rows[i].ttl_s, 10), STATUS_OK);
        else
            ttl_counts_remove(&ttls, rows[i].ttl_s, 10);
        assert_int_equal(ttl_counts_min(&ttls, 10), rows[i].least);
    }
    assert_null(ttls.rows);
}

static void keeps_nothing_for_ttls_that_are_not_below(void **state)
{
    (void)state;
    struct ttl_counts ttls = {NULL};
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(ttl_counts_add(&ttls, 10 + i, 10), STATUS_OK);
    assert_null(ttls.rows);
    assert_int_equal(ttl_counts_min(&ttls, 10), 10);
    ttl_counts_clear(&ttls);
}

static void counts_as_an_array_does(void **state)
{
    (void)state;
    unsigned counts[12] = {0};
    struct ttl_counts ttls = {NULL};
    struct random random = random_begin(99);
    for (unsigned step = 0; step < 20000; step++) {
        uint32_t ttl_s = (uint32_t)random_draw(&random, 12), least = 10;
        if (random_draw(&random, 2)) {
            assert_int_equal(ttl_counts_add(&ttls, ttl_s, 10), STATUS_OK);
            counts[ttl_s]++;
        } else if (counts[ttl_s] > 0) {
            ttl_counts_remove(&ttls, ttl_s, 10);
            counts[ttl_s]--;
        }
        for (uint32_t i = 0; i < 10 && least == 10; i++)
            least = counts[i] ? i : 10;
        assert_int_equal(ttl_counts_min(&ttls, 10), least);
    }
    ttl_counts_clear(&ttls);
    assert_int_equal(ttl_counts_min(&ttls, 10), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_least),
        cmocka_unit_test(keeps_nothing_for_ttls_that_are_not_below),
        cmocka_unit_test(counts_as_an_array_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
