#include "cli/commands/outage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* A lease may be of a few seconds: whoever comes back later has vanished meanwhile. */
static void the_pauses_grow_to_a_second_and_a_half(void **state)
{
    (void)state;
    struct outage trouble = {0};
    uint64_t least = 125, most = 250;
    for (unsigned i = 0; i < 50; i++) {
        uint64_t delay_ms = outage_delay_ms(&trouble);
        assert_in_range(delay_ms, least, most);
        most = most * 2 < 1500 ? most * 2 : 1500;
        least = most / 2;
    }
    assert_true(outage_end(&trouble));
    assert_false(outage_end(&trouble));
    assert_in_range(outage_delay_ms(&trouble), 125, 250);
}

static void one_outage_is_said_once(void **state)
{
    (void)state;
    struct outage trouble = {0};
    assert_true(outage_is_new(&trouble, STATUS_UNREACHABLE));
    assert_false(outage_is_new(&trouble, STATUS_TIMED_OUT));
    assert_false(outage_is_new(&trouble, STATUS_CONFLICT));
    assert_true(outage_is_new(&trouble, STATUS_NO_SPACE));
    assert_false(outage_is_new(&trouble, STATUS_NO_SPACE));
}

static void what_etcd_refuses_is_hopeless(void **state)
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
        cmocka_unit_test(one_outage_is_said_once),
        cmocka_unit_test(what_etcd_refuses_is_hopeless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
