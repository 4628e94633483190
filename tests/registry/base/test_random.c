#include "registry/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Beyond 256 octets the kernel may give less than it was asked for. */
static void all_octets_are_filled_and_none_beyond(void **state)
{
    (void)state;
    static uint8_t octets[4096 + 1], seen[sizeof(octets)];
    for (unsigned round = 0; round < 64; round++) {
        octets[4096] = 0xa5;
        assert_int_equal(random_fill(octets, 4096), STATUS_OK);
        assert_int_equal(octets[4096], 0xa5);
        for (size_t i = 0; i < 4096; i++)
            seen[i] |= octets[i];
    }
    for (size_t i = 0; i < 4096; i++)
        assert_int_not_equal(seen[i], 0);
}

static void no_octets_are_no_error(void **state)
{
    (void)state;
    uint8_t octet = 7;
    assert_int_equal(random_fill(&octet, 0), STATUS_OK);
    assert_int_equal(octet, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_octets_are_filled_and_none_beyond),
        cmocka_unit_test(no_octets_are_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
