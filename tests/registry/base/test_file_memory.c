/* What needs memory for a moment only: a file that is read, and a text that is too long. */
#include "registry/base/file.h"
#include "registry/base/status.h"
#include "support/allocation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

/* /proc has files that say that they have no length: it is read twice. */
static void a_file_without_memory_is_not_read(void **state)
{
    struct file file = {0};
    struct detail why;
    bool has_failed = true;
    unsigned n = 0;
    (void)state;
    for (; has_failed; n++) {
        allocation_begin(n);
        enum status status = file_read("/proc/self/smaps", 1 << 24, false, &file, &why);
        has_failed = allocation_end();
        assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
        assert_int_equal(file.data == NULL, has_failed);
        file_clear(&file);
    }
    assert_true(n > 1);
}

/* The end is lost then, but it is a text. */
static void a_long_reason_without_memory_is_cut(void **state)
{
    char text[2 * sizeof(((struct detail *)NULL)->text)];
    struct detail why = {""};
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    allocation_begin(0);
    enum status status = detail_set(&why, STATUS_SYSTEM, "%s: no", text);
    assert_true(allocation_end());
    assert_int_equal(status, STATUS_SYSTEM);
    assert_memory_equal(why.text, text, sizeof(why.text) - 1);
    assert_int_equal(why.text[sizeof(why.text) - 1], '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_file_without_memory_is_not_read),
                                       cmocka_unit_test(a_long_reason_without_memory_is_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
