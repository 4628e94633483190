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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_stands_in_order),
        cmocka_unit_test(the_limit_holds_and_the_error_stays),
        cmocka_unit_test(what_is_printed_is_as_long_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
