#include "registry/base/buffer.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void what_is_added_stands_in_order(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 100);
    buffer_add_text(&buffer, "a:");
    buffer_printf(&buffer, "%" PRId64, INT64_MIN);
    buffer_add(&buffer, "\0x", 2);
    buffer_add_base64(&buffer, "foo", 3);
    assert_int_equal(buffer.status, STATUS_OK);
    assert_int_equal(buffer.len, 2 + 20 + 2 + 4);
    assert_memory_equal(buffer.data, "a:-9223372036854775808\0xZm9v", buffer.len + 1);
    buffer_clear(&buffer);
    assert_null(buffer.data);
}

static void the_limit_holds_and_the_error_stays(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 4);
    buffer_add_text(&buffer, "abcd");
    assert_int_equal(buffer.status, STATUS_OK);
    buffer_add_text(&buffer, "e");
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    buffer_add_text(&buffer, "");
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    assert_string_equal(buffer.data, "abcd");
    buffer_reset(&buffer);
    buffer_add_text(&buffer, "ef");
    assert_int_equal(buffer.status, STATUS_OK);
    assert_string_equal(buffer.data, "ef");
    buffer_clear(&buffer);
}

/* Longer than what is spare behind it, as long, shorter. */
static void what_is_printed_is_as_long_as_it_is(void **state)
{
    (void)state;
    char wanted[400];
    for (int len = 0; len < 200; len++) {
        struct buffer buffer;
        buffer_init(&buffer, 200);
        buffer_printf(&buffer, "%0*d", len, 0);
        buffer_printf(&buffer, "%c", 'x');
        snprintf(wanted, sizeof(wanted), "%0*dx", len, 0);
        assert_int_equal(buffer.status, STATUS_OK);
        assert_string_equal(buffer.data, wanted);
        assert_int_equal(buffer.len, strlen(wanted));
        buffer_printf(&buffer, "%0200d", 0);
        assert_int_equal(buffer.status, STATUS_TOO_LARGE);
        buffer_printf(&buffer, "y");
        assert_string_equal(buffer.data, wanted);
        buffer_clear(&buffer);
    }
}

static void a_json_string_is_valid_whatever_is_in_it(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *json;
    } rows[] = {
        {"plain", 5, "\"plain\""},
        {"", 0, "\"\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"a\nb\t\x1f", 5, "\"a\\u000ab\\u0009\\u001f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\x7f", 1, "\"\\u007f\""},
        {"\xc2\x80\xc2\x9f\xc2\xa0", 6, "\"\\u0080\\u009f\xc2\xa0\""},
        {"\xe2\x80\xae\xd8\x9c", 5, "\"\\u202e\\u061c\""},
        {"\xc5\xbe", 2, "\"\xc5\xbe\""},
        {"\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\""},
        {"a\xff"
         "b",
         3,
         "\"a\xef\xbf\xbd"
         "b\""},
        {"\xc5", 1, "\"\xef\xbf\xbd\""},
        {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* a surrogate */
        {"\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},                 /* overlong */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buffer buffer;
        buffer_init(&buffer, 100);
        buffer_add_json(&buffer, rows[i].text, rows[i].len);
        assert_string_equal(buffer.data, rows[i].json);
        buffer_clear(&buffer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_stands_in_order),
        cmocka_unit_test(the_limit_holds_and_the_error_stays),
        cmocka_unit_test(what_is_printed_is_as_long_as_it_is),
        cmocka_unit_test(a_json_string_is_valid_whatever_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
