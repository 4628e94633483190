#include "zones/name/txt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

struct pairs {
    struct entry_string strings[4];
    size_t count;
};

static void sorts_type_among_the_pairs_of_an_instance(void **state)
{
    (void)state;
    static const struct {
        struct pairs pairs;
        const char *base, *data; /* data: up to the NUL, or one empty string */
        size_t at, len;
    } rows[] = {
        {{.count = 0}, NULL, "", 0, 0},
        {{{S("beta"), S("path=/")}, 2},
         NULL,
         "\x04"
         "beta\x06path=/",
         0,
         0},
        {{.count = 0}, "a_b", "\x08type=a_b", 0, 9},
        {{.count = 0}, "", "\x05type=", 0, 6},
        {{{S("a=1"), S("z=1")}, 2},
         "a_b",
         "\x03"
         "a=1\x08type=a_b\x03z=1",
         4,
         9},
        {{{S("a=1")}, 1},
         "a_b",
         "\x03"
         "a=1\x08type=a_b",
         4,
         9},
        {{{S("z")}, 1}, "a_b", "\x08type=a_b\x01z", 0, 9},
        {{{S("typ"), S("type-=1"), S("typea")}, 3},
         "x",
         "\x03typ\x07type-=1\x06type=x\x05typea",
         12,
         7},
        /* A key stands once. */
        {{{S("type=zzz"), S("x")}, 2}, "a_b", "\x08type=a_b\x01x", 0, 9},
        {{{S("TYPE=zzz"), S("b")}, 2},
         "a_b",
         "\x01"
         "b\x08type=a_b",
         2,
         9},
        {{{S("type")}, 1}, "a_b", "\x08type=a_b", 0, 9},
        {{{S("type=zzz")}, 1}, NULL, "\x08type=zzz", 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t expected = rows[i].data[0] ? strlen(rows[i].data) : 1;
        size_t base_len = rows[i].base ? strlen(rows[i].base) : 0;
        uint8_t *out = malloc(expected);
        struct txt_place place = {7, 7};
        assert_non_null(out);
        assert_int_equal(txt_instance(rows[i].pairs.strings, rows[i].pairs.count, rows[i].base,
                                      base_len, out, expected, &place),
                         expected);
        assert_memory_equal(out, rows[i].data, expected);
        assert_int_equal(place.len, rows[i].len);
        if (place.len > 0)
            assert_int_equal(place.at, rows[i].at);
        for (size_t size = 0; size < expected; size++)
            assert_int_equal(txt_instance(rows[i].pairs.strings, rows[i].pairs.count, rows[i].base,
                                          base_len, out, size, NULL),
                             0);
        free(out);
    }
}

static void cuts_strings_at_255_octets(void **state)
{
    (void)state;
    static char name_text[300];
    static uint8_t out[1024];
    struct txt_place place;
    memset(name_text, 'n', sizeof(name_text));
    assert_int_equal(txt_instance(NULL, 0, name_text, sizeof(name_text), out, sizeof(out), &place),
                     256);
    assert_int_equal(place.len, 256);
}

static void splits_the_value_of_a_switch(void **state)
{
    (void)state;
    static const struct {
        size_t len, written;
    } rows[] = {{0, 1},     {1, 2},     {254, 255}, {255, 256},
                {256, 258}, {510, 512}, {511, 514}, {TXT_SWITCH_MAX, TXT_SWITCH_SIZE_MAX}};
    static char value[TXT_SWITCH_MAX + 1];
    memset(value, 'v', sizeof(value));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t *out = malloc(rows[i].written);
        size_t len = 0;
        assert_non_null(out);
        assert_int_equal(txt_switch(value, rows[i].len, out, rows[i].written, &len), STATUS_OK);
        assert_int_equal(len, rows[i].written);
        size_t octets = 0, at = 0;
        for (; at < len; at += 1 + out[at]) {
            assert_true(out[at] == 255 || at + 1 + out[at] == len);
            octets += out[at];
        }
        assert_int_equal(at, len);
        assert_int_equal(octets, rows[i].len);
        assert_int_equal(txt_switch(value, rows[i].len, out, rows[i].written - 1, &len),
                         STATUS_TOO_LARGE);
        assert_int_equal(len, rows[i].written);
        free(out);
    }
    uint8_t out[1];
    size_t len = 7;
    assert_int_equal(txt_switch(value, sizeof(value), out, sizeof(out), &len), STATUS_TOO_LARGE);
    assert_int_equal(len, 7);
}

static void keeps_any_octets_of_a_switch(void **state)
{
    (void)state;
    uint8_t out[8];
    size_t len;
    assert_int_equal(txt_switch("\0\xff\"\\", 4, out, sizeof(out), &len), STATUS_OK);
    assert_int_equal(len, 5);
    assert_memory_equal(out, "\x04\0\xff\"\\", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_type_among_the_pairs_of_an_instance),
        cmocka_unit_test(cuts_strings_at_255_octets),
        cmocka_unit_test(splits_the_value_of_a_switch),
        cmocka_unit_test(keeps_any_octets_of_a_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
