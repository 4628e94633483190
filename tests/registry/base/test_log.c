#include "registry/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct captured {
    unsigned count;
    enum log_level level;
    char text[8192];
};

static void capture(void *arg, enum log_level level, const char *kind, const char *text)
{
    (void)kind;
    struct captured *captured = arg;
    captured->count++;
    captured->level = level;
    assert_true(strlen(text) < sizeof(captured->text));
    strncpy(captured->text, text, sizeof(captured->text) - 1);
}

static void formats_and_passes_the_level_on(void **state)
{
    (void)state;
    struct captured captured = {.count = 0};
    struct log log = {.write = capture, .arg = &captured};
    log_printf(&log, LOG_LEVEL_WARNING, "%s %d", "revision", 7);
    assert_int_equal(captured.count, 1);
    assert_int_equal(captured.level, LOG_LEVEL_WARNING);
    assert_string_equal(captured.text, "revision 7");
}

static void does_nothing_without_a_callback(void **state)
{
    (void)state;
    struct log log = {.write = NULL};
    log_printf(NULL, LOG_LEVEL_ERROR, "nobody hears");
    log_printf(&log, LOG_LEVEL_ERROR, "nobody hears");
}

static void lets_nobody_forge_a_line(void **state)
{
    (void)state;
    struct captured captured = {.count = 0};
    struct log log = {.write = capture, .arg = &captured};
    log_printf(&log, LOG_LEVEL_INFO, "key %s", "a\nERROR:root:b\x1b[0m\x7f\t");
    assert_int_equal(captured.count, 1);
    assert_string_equal(captured.text, "key a\\x0aERROR:root:b\\x1b[0m\\x7f\\x09");
    log_printf(&log, LOG_LEVEL_INFO, "key %s",
               "\xe2\x80\xae"
               "gnp.exe\xc2\x9b"
               "2J");
    assert_string_equal(captured.text, "key \\u{202e}gnp.exe\\xc2\\x9b2J");
}

static void a_long_value_pushes_no_reason_out(void **state)
{
    (void)state;
    struct captured captured = {.count = 0};
    struct log log = {.write = capture, .arg = &captured};
    char value[3000];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    log_printf(&log, LOG_LEVEL_ERROR, "%s \"%s\": %s", "switch", value, "the reason");
    assert_memory_equal(captured.text, "switch \"vvvv", 12);
    assert_non_null(strstr(captured.text, "vvv...vvv"));
    assert_non_null(strstr(captured.text, "vvv\": the reason"));
}

static void cuts_a_long_text_at_1_000_octets(void **state)
{
    (void)state;
    struct captured captured = {.count = 0};
    struct log log = {.write = capture, .arg = &captured};
    log_printf(&log, LOG_LEVEL_INFO, "%3000d", 1);
    assert_int_equal(strlen(captured.text), 1000);
    char controls[2048];
    memset(controls, 1, sizeof(controls) - 1);
    controls[sizeof(controls) - 1] = '\0';
    log_printf(&log, LOG_LEVEL_INFO, "%s", controls);
    assert_int_equal(strlen(captured.text), 4 * (1000 - 3) + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_and_passes_the_level_on),
        cmocka_unit_test(does_nothing_without_a_callback),
        cmocka_unit_test(lets_nobody_forge_a_line),
        cmocka_unit_test(a_long_value_pushes_no_reason_out),
        cmocka_unit_test(cuts_a_long_text_at_1_000_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
