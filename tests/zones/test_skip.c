#include "zones/skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_reason_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < SKIP_COUNT; i++) {
        assert_true(strlen(skip_text((enum skip)i)) > 5);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(skip_text((enum skip)i), skip_text((enum skip)j));
    }
    assert_string_equal(skip_text(SKIP_NONE), "it is served");
    assert_string_equal(skip_text(SKIP_RESERVED), "the type dns-sd is reserved");
    assert_string_equal(skip_text(SKIP_COUNT), "unknown reason");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_a_sentence_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
