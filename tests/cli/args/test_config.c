#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/args/config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum status read_text(const char *text, size_t len, struct config *out, struct detail *why)
{
    char path[] = "/tmp/empusa-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
    enum status status = config_read(path, out, why);
    unlink(path);
    return status;
}

static void lines_are_read_as_systemd_does(void **state)
{
    static const struct {
        const char *text, *name, *value; /* value NULL: there is no such name */
        unsigned line;
    } rows[] = {
        {"A=b", "A", "b", 1},
        {"A=b\n", "A", "b", 1},
        {"\n\n# c\n ; d\nA=b\n", "A", "b", 5},
        {"A=b\r\nB=c\r\n", "A", "b", 1},
        {"A=b\r\nB=c\r\n", "B", "c", 2},
        {"  A \t=\t b c \t\n", "A", "b c", 1},
        {"A=", "A", "", 1},
        {"A=\"\"", "A", "", 1},
        {"A=b=c", "A", "b=c", 1},
        {"A=\" b \"", "A", " b ", 1},
        {"A=' b '  ", "A", " b ", 1},
        {"A=\"'b'\"", "A", "'b'", 1}, /* one pair */
        {"A=\"\"b\"\"", "A", "\"b\"", 1},
        {"A=\"b\"c\"", "A", "b\"c", 1},
        {"A=b\"c\"", "A", "b\"c\"", 1},
        {"A=it's", "A", "it's", 1},
        {"A=b # c", "A", "b # c", 1},
        {"A=b;c", "A", "b;c", 1},
        {"A=#b", "A", "#b", 1},
        {"A=$B ${C} `d`", "A", "$B ${C} `d`", 1},
        {"A=b\\\nB=c", "A", "b\\", 1},
        {"A=b\\\nB=c", "B", "c", 2},
        {"A=b\\tc\\\"", "A", "b\\tc\\\"", 1},
        {"A=b\nA=c\n", "A", "c", 2},
        {"A=b\nA=\n", "A", "", 2},
        {"\xef\xbb\xbf"
         "A=b",
         "A", "b", 1},
        {"A=\xff\xfe", "A", "\xff\xfe", 1},
        {"A=b", "B", NULL, 0},
        {"A=b", "a", NULL, 0},
        {"#A=b", "A", NULL, 0},
        {"", "A", NULL, 0},
        {"\n", "A", NULL, 0},
        {"_a9=x", "_a9", "x", 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config config = {0};
        struct detail why = {""};
        enum status status = read_text(rows[i].text, strlen(rows[i].text), &config, &why);
        if (status != STATUS_OK)
            print_message("%s: %s\n", rows[i].text, why.text);
        assert_int_equal(status, STATUS_OK);
        const struct config_item *item = config_find(&config, rows[i].name);
        assert_int_equal(item != NULL, rows[i].value != NULL);
        if (item) {
            assert_string_equal(item->value, rows[i].value);
            assert_int_equal(item->line, rows[i].line);
        }
        config_clear(&config);
    }
    assert_null(config_find(NULL, "A"));
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
    static const struct {
        const char *text;
        size_t len; /* 0: up to the NUL */
        const char *fault;
    } rows[] = {
        {"A=b\nnonsense\n", 0, "line 2: not NAME=VALUE"},
        {"export A=b\n", 0, "line 1: what is before the = is no name of a variable"},
        {"=b", 0, "line 1: what is before the = is no name"},
        {"9A=b", 0, "line 1: what is before the = is no name"},
        {"\n\nA-B=b", 0, "line 3: what is before the = is no name"},
        {"A=b\nPASSWORD: s3cret=\n", 0, "line 2: what is before the ="},
        {"A=\"b\nB=c\"\n", 0, "line 1: the value begins with a \""},
        {"A='", 0, "line 1: the value begins with a '"},
        {"A=\"b' ", 0, "line 1: the value begins with a \""},
        {"A=\"b\" c", 0, "line 1: the value begins with a \""},
        {"A=b\0c\n", 6, "line 1: a NUL octet"},
        {"A=b\nB\0=c\n", 9, "line 2: a NUL octet"},
        {"A=b\n\0", 5, "line 2: a NUL octet"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config config = {0};
        struct detail why = {""};
        size_t len = rows[i].len ? rows[i].len : strlen(rows[i].text);
        assert_int_equal(read_text(rows[i].text, len, &config, &why), STATUS_BAD_INPUT);
        assert_non_null(strstr(why.text, rows[i].fault));
        assert_null(strstr(why.text, "s3cret"));
        assert_null(config.file.data);
    }
}

static void what_is_no_file_of_a_sane_size_is_refused(void **state)
{
    struct config config = {0};
    struct detail why = {""};
    (void)state;
    assert_int_equal(config_read("/nonexistent/file", &config, &why), STATUS_SYSTEM);
    assert_string_equal(why.text, "No such file or directory");
    assert_int_equal(config_read("/", &config, &why), STATUS_SYSTEM);
    assert_string_equal(why.text, "Is a directory");
    assert_int_equal(config_read("/dev/zero", &config, &why), STATUS_TOO_LARGE);
    assert_string_equal(why.text, "longer than 1048576 octets");
    assert_int_equal(config_read("/dev/null", &config, &why), STATUS_OK);
    assert_int_equal(config.count, 0);
    config_clear(&config);
}

static void a_pipe_is_a_file_too(void **state)
{
    struct config config = {0};
    struct detail why = {""};
    int ends[2];
    char path[32];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "A=b\n", 4), 4);
    close(ends[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    assert_int_equal(config_read(path, &config, &why), STATUS_OK);
    assert_string_equal(config_find(&config, "A")->value, "b");
    config_clear(&config);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_as_systemd_does),
        cmocka_unit_test(what_is_wrong_is_named_with_its_line),
        cmocka_unit_test(what_is_no_file_of_a_sane_size_is_refused),
        cmocka_unit_test(a_pipe_is_a_file_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
