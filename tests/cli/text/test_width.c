/* Columns that text takes on a terminal, and where it is cut. */
#include "width.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    size_t max;
    const char *shown; /* NULL: as it is */
    size_t columns;
} rows[] = {
    {"", 3, NULL, 0},
    {"abc", 3, NULL, 3},
    {"abcd", 3, "...", 3},
    {"abcd", 4, NULL, 4},
    {"abcdef", 5, "ab...", 5},
    {" ~", 3, NULL, 2},
    /* two columns each, and cut between */
    {"\xe6\x97\xa5\xe6\x9c\xac", 4, NULL, 4},
    {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6, NULL, 6},
    {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5, "\xe6\x97\xa5...", 5},
    {"a\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5, "a...", 4},
    {"\xf0\x9f\x98\x80", 3, NULL, 2},
    /* none: a combining accent stays with its letter */
    {"e\xcc\x81", 3, NULL, 1},
    {"e\xcc\x81xyz", 4, NULL, 4},
    {"e\xcc\x81xyzz", 4, "e\xcc\x81...", 4},
    {"\xc3\xa4\xc3\xb6", 3, NULL, 2},
    /* what may not reach a terminal: a column for each octet of what stands for it */
    {"\x1b[2J", 20, "\\x1b[2J", 7},
    {"\n", 3, "...", 3},
    {"\n", 4, "\\x0a", 4},
    {"\x7f", 4, "\\x7f", 4},
    {"\xff\xfe", 8, "\\xff\\xfe", 8},
    {"\xff\xfe", 7, "\\xff...", 7},
    {"\xe6\x97", 8, "\\xe6\\x97", 8},
};

static struct width width;

static void text_is_shown_in_so_many_columns(void **state)
{
    (void)state;
    if (!width.locale)
        skip();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[WIDTH_OCTETS_MAX];
        size_t columns = 99, text_len = strlen(rows[i].text);
        char *exact = malloc(text_len + 1);
        assert_non_null(exact);
        memcpy(exact, rows[i].text, text_len);
        size_t len = width_show(&width, exact, text_len, rows[i].max, out, &columns);
        const char *due = rows[i].shown ? rows[i].shown : rows[i].text;
        if (len != strlen(due) || memcmp(out, due, len) != 0 || columns != rows[i].columns)
            fail_msg("row %zu: %.*s, %zu columns", i, (int)len, out, columns);
        free(exact);
    }
}

/* Without the locale each character counts as one. */
static void without_the_locale_it_does_what_it_can(void **state)
{
    static const struct width none = {.locale = (locale_t)0};
    char out[WIDTH_OCTETS_MAX];
    size_t columns;
    (void)state;
    size_t len = width_show(&none, "\xe6\x97\xa5\xe6\x9c\xac", 6, 3, out, &columns);
    assert_int_equal(len, 6);
    assert_int_equal(columns, 2);
    len =
        width_show(&none, "\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac", 12, 3, out, &columns);
    assert_int_equal(len, 3);
    assert_memory_equal(out, "...", 3);
    assert_int_equal(columns, 3);
}

/* Accents without end take no columns, but octets. */
static void octets_are_bounded_too(void **state)
{
    static char text[3 * WIDTH_OCTETS_MAX];
    char out[WIDTH_OCTETS_MAX];
    size_t columns;
    (void)state;
    text[0] = 'e';
    for (size_t i = 1; i + 1 < sizeof(text); i += 2)
        memcpy(text + i, "\xcc\x81", 2);
    size_t len = width_show(&width, text, sizeof(text) - 1, 80, out, &columns);
    assert_in_range(len, WIDTH_OCTETS_MAX - 4, WIDTH_OCTETS_MAX);
    assert_memory_equal(out + len - 3, "...", 3);
    if (width.locale)
        assert_int_equal(columns, 4);
}

/* The process' own locale is not changed. */
static void the_locale_is_as_it_was(void **state)
{
    char out[WIDTH_OCTETS_MAX];
    size_t columns;
    (void)state;
    locale_t before = uselocale((locale_t)0);
    (void)width_show(&width, "\xe6\x97\xa5", 3, 10, out, &columns);
    assert_ptr_equal(uselocale((locale_t)0), before);
}

static int set_up(void **state)
{
    (void)state;
    width_init(&width);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    width_clear(&width);
    width_clear(&width);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_shown_in_so_many_columns),
        cmocka_unit_test(without_the_locale_it_does_what_it_can),
        cmocka_unit_test(octets_are_bounded_too),
        cmocka_unit_test(the_locale_is_as_it_was),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
