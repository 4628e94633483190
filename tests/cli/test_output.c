#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"
#include "output.h"

#include <fcntl.h>
#include <stdbool.h>
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

/* What `text` becomes on a terminal, or in a file. */
static char *value_on(bool is_terminal, const char *text, size_t len)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    FILE *file = is_terminal ? fopen(ptsname(master), "r+") : tmpfile();
    assert_non_null(file);
    output_value(file, text, len);
    fputs("|", file);
    fflush(file);
    int from = is_terminal ? master : fileno(file);
    if (!is_terminal)
        rewind(file);
    char *out = calloc(1, 256);
    assert_non_null(out);
    for (size_t at = 0; at < 255 && !strchr(out, '|');) {
        ssize_t got = read(from, out + at, 255 - at);
        assert_true(got > 0);
        at += (size_t)got;
    }
    *strchr(out, '|') = '\0';
    fclose(file);
    close(master);
    return out;
}

static void a_value_drives_no_terminal_and_is_itself_elsewhere(void **state)
{
    static const char text[] = "\x1b]0;x\x07\xc2\x9b"
                               "2J\xe2\x80\xae\xff\xc3\xa9\xc3";
    (void)state;
    char *shown = value_on(true, text, sizeof(text) - 1);
    assert_string_equal(shown, "\\x1b]0;x\\x07\\xc2\\x9b2J\\u{202e}\\xff\xc3\xa9\\xc3");
    free(shown);
    shown = value_on(false, text, sizeof(text) - 1);
    assert_string_equal(shown, text);
    free(shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_carry_their_level_and_root),
        cmocka_unit_test(a_json_string_is_valid_whatever_is_in_it),
        cmocka_unit_test(a_value_drives_no_terminal_and_is_itself_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
