/* Descriptors are counted, or it is said that there is no memory for it. */
#include "cli/serve/descriptors.h"

#include "support/allocation.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static void without_memory_it_says_so(void **state)
{
    struct detail why = {""};
    (void)state;
    allocation_begin(0);
    enum status status = descriptors_check(4, 4, &why);
    assert_true(allocation_end());
    assert_int_equal(status, STATUS_NO_MEMORY);
    assert_string_equal(why.text, status_text(STATUS_NO_MEMORY));
    assert_int_equal(descriptors_check(4, 4, &why), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_memory_it_says_so)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
