/* Checksums that tell one row from another, and stay what they are from one version to the next. */
#include "registry/state/state_sum.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

static uint64_t sum_of(const char *key, const char *value, int64_t lease, int64_t revision)
{
    return state_sum_kv(&(struct kv){.key = key,
                                     .key_len = strlen(key),
                                     .value = value,
                                     .value_len = strlen(value),
                                     .lease = lease,
                                     .mod_revision = revision});
}

static void all_that_stands_in_a_row_counts(void **state)
{
    (void)state;
    uint64_t sums[] = {
        sum_of("ab", "cd", 1, 2), sum_of("abc", "d", 1, 2), sum_of("a", "bcd", 1, 2),
        sum_of("ab", "cd", 2, 1), sum_of("ab", "cd", 1, 3), sum_of("ab", "ce", 1, 2),
        sum_of("ac", "cd", 1, 2), sum_of("abcd", "", 1, 2), sum_of("", "abcd", 1, 2)};
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
        for (size_t j = 0; j < i; j++)
            assert_true(sums[i] != sums[j]);
}

/* What an earlier version has written is to be read. */
static void they_are_those_of_siphash(void **state)
{
    (void)state;
    assert_true(state_sum("", 0) == UINT64_C(0x1e924b9d737700d7));
    assert_true(sum_of("ab", "cd", 1, 2) == UINT64_C(0x83f82c6c212ceedc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_stands_in_a_row_counts),
        cmocka_unit_test(they_are_those_of_siphash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
