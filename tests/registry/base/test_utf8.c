#include "registry/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void decodes_well_formed_characters_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t octets;
        uint32_t character;
    } rows[] = {
        {"", 0, 0},
        {"a", 1, 'a'},
        {"\x7f", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
        {"\x80", 0, 0},
        {"\xc0\x80", 0, 0},         /* overlong */
        {"\xc1\xbf", 0, 0},         /* overlong */
        {"\xe0\x9f\xbf", 0, 0},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 0, 0}, /* overlong */
        {"\xed\xa0\x80", 0, 0},     /* surrogate */
        {"\xed\xbf\xbf", 0, 0},     /* surrogate */
        {"\xf4\x90\x80\x80", 0, 0}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 0, 0},
        {"\xff", 0, 0},
        {"\xe2\x82", 0, 0}, /* cut */
        {"\xe2"
         "a\x82",
         0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t character = 0;
        assert_int_equal(utf8_decode(rows[i].text, strlen(rows[i].text), &character),
                         rows[i].octets);
        assert_int_equal(character, rows[i].character);
    }
}

static void shows_controls_and_broken_utf8_as_octets(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *shown;
    } rows[] = {
        {"", 0, ""},
        {"a b~", 4, "a b~"},
        {"a\nb", 3, "a\\x0ab"},
        {"\0", 1, "\\x00"},
        {"\x1b[31m", 5, "\\x1b[31m"},
        {"\x7f", 1, "\\x7f"},
        {"\xc2\x9b", 2, "\\xc2\\x9b"}, /* a control character in UTF-8 */
        {"\xc3\xa9", 2, "\xc3\xa9"},
        {"\xc3", 1, "\\xc3"},
        {"a\xff"
         "b",
         3, "a\\xffb"},
        {"\\x41", 4, "\\x41"},
        {"\xc2\x85z", 3, "\\xc2\\x85z"},
        {"\xc2\xa0", 2, "\xc2\xa0"},
        {"\xd8\x9c", 2, "\\u{061c}"},
        {"\xe2\x80\x8d", 3, "\xe2\x80\x8d"}, /* joins emoji */
        {"\xe2\x80\x8e", 3, "\\u{200e}"},
        {"\xe2\x80\x8f", 3, "\\u{200f}"},
        {"\xe2\x80\x90", 3, "\xe2\x80\x90"},
        {"\xe2\x80\xa7", 3, "\xe2\x80\xa7"},
        {"\xe2\x80\xa8", 3, "\\u{2028}"},
        {"\xe2\x80\xaa", 3, "\\u{202a}"},
        {"a\xe2\x80\xae"
         "b",
         5, "a\\u{202e}b"},
        {"\xe2\x80\xaf", 3, "\xe2\x80\xaf"},
        {"\xe2\x81\xa5", 3, "\xe2\x81\xa5"},
        {"\xe2\x81\xa6", 3, "\\u{2066}"},
        {"\xe2\x81\xa9", 3, "\\u{2069}"},
        {"\xe2\x81\xaa", 3, "\xe2\x81\xaa"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[64];
        assert_int_equal(utf8_show(rows[i].text, rows[i].len, out, sizeof(out)),
                         strlen(rows[i].shown));
        assert_string_equal(out, rows[i].shown);
    }
}

static void cuts_between_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        const char *shown;
    } rows[] = {
        {"abc", 1, ""},
        {"abc", 3, "ab"},
        {"abc", 4, "abc"},
        {"a\nb", 5, "a"},
        {"a\nb", 6, "a\\x0a"},
        {"a\xc3\xa9", 3, "a"},
        {"a\xc3\xa9", 4, "a\xc3\xa9"},
        {"a\xe2\x80\xae", 9, "a"},
        {"a\xe2\x80\xae", 10, "a\\u{202e}"},
        {"a\xc2\x9b", 9, "a"},
        {"a\xc2\x9b", 10, "a\\xc2\\x9b"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *out = malloc(rows[i].size);
        assert_non_null(out);
        assert_int_equal(utf8_show(rows[i].text, strlen(rows[i].text), out, rows[i].size),
                         strlen(rows[i].shown));
        assert_string_equal(out, rows[i].shown);
        free(out);
    }
}

static void loses_the_middle_of_what_is_too_long(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shortened; /* in 17 octets: 16 and the NUL */
    } rows[] = {
        {"", ""},
        {"0123456789abcdef", "0123456789abcdef"},
        {"0123456789abcdefg", "012345...abcdefg"},
        {"01234\xc3\xa9 0123456789 \xc3\xa9 abcd", "01234...\xc3\xa9 abcd"},
        {"01234\xe2\x82\xac 0123456789 \xe2\x82\xac 123", "01234...\xe2\x82\xac 123"},
        {"01234\xe2\x82\xac 0123456789 \xe2\x82\xac 12345", "01234... 12345"},
        {"012\xf0\x9f\x98\x80\xf0\x9f\x98\x80 9 \xf0\x9f\x98\x80\xf0\x9f\x98\x80",
         "012...\xf0\x9f\x98\x80"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[17];
        utf8_shorten(rows[i].text, strlen(rows[i].text), out, sizeof(out));
        assert_string_equal(out, rows[i].shortened);
        char *own = strdup(rows[i].text);
        assert_non_null(own);
        utf8_shorten(own, strlen(own), own, strlen(own) < 17 ? strlen(own) + 1 : 17);
        assert_string_equal(own, rows[i].shortened);
        free(own);
    }
}

/* Octets that claim to go on without end are cut at most 3 away. */
static void shortens_what_is_not_utf8(void **state)
{
    (void)state;
    char text[200], out[32];
    memset(text, 0x80, sizeof(text));
    utf8_shorten(text, sizeof(text), out, sizeof(out));
    assert_true(strlen(out) >= sizeof(out) - 1 - 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_well_formed_characters_only),
        cmocka_unit_test(shows_controls_and_broken_utf8_as_octets),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(loses_the_middle_of_what_is_too_long),
        cmocka_unit_test(shortens_what_is_not_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
