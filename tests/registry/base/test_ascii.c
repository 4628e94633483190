#include "support/foreign_locale.h"

#include "registry/base/ascii.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check_rows(void)
{
    static const struct {
        const char *a, *b;
        size_t len;
        bool is_equal;
    } rows[] = {
        {"", "", 0, true},
        {"a", "b", 0, true},
        {"abcxyz", "ABCXYZ", 6, true},
        {"DNS-sd", "dns-SD", 6, true},
        {"id", "ID", 2, true},
        {"id", "il", 2, false},
        {"id", "il", 1, true},
        {"@`[{", "@`[{", 4, true},
        {"@", "`", 1, false}, /* 0x20 apart, and no letters */
        {"[", "{", 1, false},
        {"\xc4\xb1", "\xc4\xb1", 2, true},
        {"\xe9", "\xc9", 1, false}, /* of Latin-1 one letter */
        {"a\0b", "A\0c", 3, false}, /* strncasecmp() would stop */
        {"a\0b", "A\0B", 3, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(ascii_equal(rows[i].a, rows[i].b, rows[i].len), rows[i].is_equal);
}

static void case_of_ascii_letters_alone_makes_no_difference(void **state)
{
    (void)state;
    check_rows();
}

static void nor_does_the_locale(void **state)
{
    (void)state;
    foreign_locale_enter();
    check_rows();
    foreign_locale_leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_of_ascii_letters_alone_makes_no_difference),
        cmocka_unit_test(nor_does_the_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
