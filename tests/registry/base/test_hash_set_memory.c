#include "registry/base/hash_set.h"
#include "support/allocation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    struct hash_set set = {.words = 1};
    unsigned failed = 0;
    bool is_new;
    for (uint64_t i = 1; i <= 1000; i++) {
        size_t count = set.count;
        allocation_begin(0);
        enum status status = hash_set_add(&set, &i, &is_new);
        if (allocation_end()) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_int_equal(set.count, count);
            failed++;
            status = hash_set_add(&set, &i, &is_new);
        }
        assert_int_equal(status, STATUS_OK);
        assert_true(is_new);
    }
    assert_true(failed > 3);
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_int_equal(hash_set_add(&set, &i, &is_new), STATUS_OK);
        assert_false(is_new);
    }
    hash_set_clear(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_memory_nothing_changes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
