#include "cli/args/mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void what_looks_like_a_user_and_a_password_is_masked(void **state)
{
    static const struct {
        const char *text, *value, *words;
    } rows[] = {
        {"", "", ""},
        {"host:80", "host:80", "host:80"},
        {"a@b", "a@b", "a@b"},
        {"u:p@h", "***@h", "***@h"},
        {":@h", "*@h", "*@h"},
        {"https://u:p@h:1", "https://***@h:1", "https://***@h:1"},
        {"https://u@h:1", "https://u@h:1", "https://u@h:1"},
        {"u:p@q@h", "***@h", "***@h"},
        {"no \"u:p@h\" and x:y@z: a", "***@z: a", "no \"***@h\" and ***@z: a"},
        {"--x=http://u:p@h", "--x=http://***@h", "--x=http://***@h"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];
        strcpy(text, rows[i].text);
        mask_value(text);
        assert_string_equal(text, rows[i].value);
        strcpy(text, rows[i].text);
        mask_words(text);
        assert_string_equal(text, rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_looks_like_a_user_and_a_password_is_masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
