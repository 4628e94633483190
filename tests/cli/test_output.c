#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void messages_carry_their_level_and_root(void **state)
{
    static const struct {
        enum log_level least, level;
        const char *text, *line;
    } rows[] = {
        {LOG_LEVEL_INFO, LOG_LEVEL_INFO, "hello", "INFO:root:hello\n"},
        {LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, "hello", ""},
        {LOG_LEVEL_DEBUG, LOG_LEVEL_DEBUG, "hello", "DEBUG:root:hello\n"},
        {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, "hello", ""},
        {LOG_LEVEL_WARNING, LOG_LEVEL_ERROR, "hello", "ERROR:root:hello\n"},
        {LOG_LEVEL_INFO, LOG_LEVEL_WARNING, "a\nERROR:root:b", "WARNING:root:a\\x0aERROR:root:b\n"},
        {LOG_LEVEL_INFO, LOG_LEVEL_INFO, "", "INFO:root:\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct log log = output_log(rows[i].least);
        struct capture capture;
        capture_begin(&capture, STDERR_FILENO);
        log_printf(&log, rows[i].level, "%s", rows[i].text);
        char *said = capture_end(&capture);
        assert_string_equal(said, rows[i].line);
        free(said);
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
        {"\x7f", 1, "\"\x7f\""},
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
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *json = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&json, &size);
        assert_non_null(file);
        output_json(file, rows[i].text, rows[i].len);
        fclose(file);
        assert_string_equal(json, rows[i].json);
        free(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_carry_their_level_and_root),
        cmocka_unit_test(a_json_string_is_valid_whatever_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
