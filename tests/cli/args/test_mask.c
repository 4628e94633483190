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
        const char *text, *value, *sentence;
    } rows[] = {
        {"", "", ""},
        {"host:80", "host:80", "host:80"},
        {"a@b", "a@b", "a@b"},
        {"u:p@h", "***@h", "***@h"},
        {":@h", "*@h", "*@h"},
        {"https://u:p@h:1", "https://***@h:1", "https://***@h:1"},
        {"https://u@h:1", "https://u@h:1", "https://u@h:1"},
        {"u:p@q@h", "***@h", "***@h"},
        {"no \"u:p@h\" and x:y@z: a", "***@z: a", "no \"***@z: a"},
        {"--x=http://u:p@h", "--x=http://***@h", "--x=http://***@h"},
        {"--x=http://u:p a\"ss@h", "--x=http://***@h", "--x=http://***@h"},
        {"no \"u:p a\"ss@h\"", "***@h\"", "no \"***@h\""},
        {"u:p://a@h", "***@h", "***@h"},
        {"http://h:1", "http://h:1", "http://h:1"},
        {"x \"a@b\": c", "x \"a@b\": c", "x \"a@b\": c"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];
        mask_quote(rows[i].text, strlen(rows[i].text), text, sizeof(text));
        assert_string_equal(text, rows[i].value);
        strcpy(text, rows[i].text);
        mask_sentence(text);
        assert_string_equal(text, rows[i].sentence);
    }
}

static void what_is_too_long_is_not_cut_before_it_is_masked(void **state)
{
    char out[16];
    (void)state;
    mask_quote("u:secret@0123456", 15, out, sizeof(out));
    assert_string_equal(out, "***@012345");
    mask_quote("u:secret@0123456", 16, out, sizeof(out));
    assert_string_equal(out, "***");
    mask_quote("0123456789abcdefghi", 19, out, sizeof(out));
    assert_non_null(strstr(out, "..."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_looks_like_a_user_and_a_password_is_masked),
        cmocka_unit_test(what_is_too_long_is_not_cut_before_it_is_masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
