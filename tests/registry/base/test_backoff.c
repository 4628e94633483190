#include "registry/base/backoff.h"

#include "registry/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void pauses_double_up_to_their_bound(void **state)
{
    (void)state;
    static const struct {
        uint32_t first, max, pause;
        unsigned failures;
    } rows[] = {{250, 10000, 0, 0},
                {250, 10000, 250, 1},
                {250, 10000, 500, 2},
                {250, 10000, 8000, 6},
                {250, 10000, 10000, 7},
                {250, 10000, 10000, UINT32_MAX},
                {10, 5, 5, 1},
                {1, UINT32_MAX, UINT32_C(1) << 31, 32},
                {1, UINT32_MAX, UINT32_MAX, 33}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(backoff_pause(rows[i].first, rows[i].max, rows[i].failures),
                         rows[i].pause);
}

/* What fails for many at once is not tried by all at once again. */
static void the_second_half_of_a_pause_is_left_to_chance(void **state)
{
    (void)state;
    uint32_t least = UINT32_MAX, most = 0;
    for (unsigned i = 0; i < 10000; i++) {
        uint32_t pause = backoff_jitter(1001);
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
        assert_in_range(pause, 500, 1001);
    }
    assert_in_range(least, 500, 520);
    assert_in_range(most, 981, 1001);
    assert_int_equal(backoff_jitter(0), 0);
    assert_in_range(backoff_jitter(1), 0, 1);
}

static void random_numbers_reach_all_below_their_limit(void **state)
{
    (void)state;
    unsigned seen[7] = {0};
    for (unsigned i = 0; i < 7000; i++)
        seen[random_below(7)]++;
    for (unsigned i = 0; i < 7; i++)
        assert_in_range(seen[i], 700, 1300);
    assert_int_equal(random_below(1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_their_bound),
        cmocka_unit_test(the_second_half_of_a_pause_is_left_to_chance),
        cmocka_unit_test(random_numbers_reach_all_below_their_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
