#include "registry/outage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* A lease may be of a few seconds: whoever comes back later has vanished meanwhile. */
static void the_pauses_grow_to_a_second_and_a_half(void **state)
{
    (void)state;
    struct outage outage = {0};
    uint64_t least = 125, most = 250;
    for (unsigned i = 0; i < 50; i++) {
        uint64_t delay_ms = outage_delay_ms(&outage, UINT64_MAX);
        assert_in_range(delay_ms, least, most);
        most = most * 2 < 1500 ? most * 2 : 1500;
        least = most / 2;
    }
    assert_true(outage_end(&outage));
    assert_false(outage_end(&outage));
    assert_in_range(outage_delay_ms(&outage, UINT64_MAX), 125, 250);
}

/* 64 draws from 751 numbers are the same once in 10^181: it is the jitter that is missing then. */
static void the_pauses_are_not_all_the_same(void **state)
{
    (void)state;
    struct outage outage = {0};
    uint64_t least = UINT64_MAX, most = 0;
    for (unsigned i = 0; i < 68; i++) {
        uint64_t delay_ms = outage_delay_ms(&outage, UINT64_MAX);
        if (i < 4)
            continue; /* it still grows */
        least = delay_ms < least ? delay_ms : least;
        most = delay_ms > most ? delay_ms : most;
    }
    assert_true(most > least);
}

static void one_outage_is_reported_once(void **state)
{
    (void)state;
    struct outage outage = {0};
    assert_true(outage_is_new(&outage, STATUS_UNREACHABLE));
    assert_false(outage_is_new(&outage, STATUS_TIMED_OUT));
    assert_false(outage_is_new(&outage, STATUS_CONFLICT));
    assert_true(outage_is_new(&outage, STATUS_NO_SPACE));
    assert_false(outage_is_new(&outage, STATUS_NO_SPACE));
    assert_false(outage_is_new(&outage, STATUS_BAD_REPLY));
    assert_false(outage_is_new(&outage, STATUS_NO_SPACE));
    outage_end(&outage);
    assert_true(outage_is_new(&outage, STATUS_UNREACHABLE));
}

static void what_etcd_refuses_is_permanent(void **state)
{
    (void)state;
    assert_true(outage_is_permanent(STATUS_DENIED) && outage_is_permanent(STATUS_TOO_LARGE));
    assert_true(outage_is_permanent(STATUS_TOO_MANY) && outage_is_permanent(STATUS_REFUSED));
    assert_false(outage_is_permanent(STATUS_UNREACHABLE) || outage_is_permanent(STATUS_NO_SPACE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pauses_grow_to_a_second_and_a_half),
        cmocka_unit_test(the_pauses_are_not_all_the_same),
        cmocka_unit_test(one_outage_is_reported_once),
        cmocka_unit_test(what_etcd_refuses_is_permanent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
