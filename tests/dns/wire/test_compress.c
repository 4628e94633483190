#include "dns/wire/compress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BEGIN 12 /* names stand behind a header */

static struct compress compress;
static uint8_t message[70000];

static size_t add(size_t at, const char *name)
{
    return compress_name(&compress, message, at, (const uint8_t *)name);
}

static void names_share_their_ends_in_the_same_letters_alone(void **state)
{
    (void)state;
    static const char names[] = "\1a\3net\0"     /* 12: net at 14 */
                                "\1b\xc0\x0e"    /* 19 */
                                "\xc0\x0c"       /* 23: the whole of the first */
                                "\1B\3Net\0"     /* 25: Net at 27 */
                                "\1c\1b\xc0\x0e" /* 32: b.net is known, but not c.b.net */
                                "\0"             /* 38: the root */
                                "\3net\1a\0";    /* 39: net is no end of this one */
    compress_reset(&compress);
    size_t at = add(BEGIN, "\1a\3net");
    at = add(at, "\1b\3net");
    at = add(at, "\1a\3net");
    at = add(at, "\1B\3Net");
    at = add(at, "\1c\1b\3net");
    at = add(at, "");
    at = add(at, "\3net\1a");
    /* b.net stands at 19: a shorter form of the fifth. */
    static const char shorter[] = "\1c\xc0\x13";
    assert_memory_equal(message + BEGIN, names, 20);
    assert_memory_equal(message + 32, shorter, 4);
    assert_memory_equal(message + 36, "\0\3net\1a\0", 8);
    assert_int_equal(at, 36 + 1 + 7);
}

static void a_reset_forgets(void **state)
{
    (void)state;
    compress_reset(&compress);
    assert_int_equal(add(BEGIN, "\1a\3net"), BEGIN + 7);
    compress_reset(&compress);
    assert_int_equal(add(BEGIN, "\1a\3net"), BEGIN + 7);
    assert_int_equal(add(BEGIN + 7, "\1a\3net"), BEGIN + 9);
}

static void nothing_points_beyond_the_reach_of_pointers(void **state)
{
    (void)state;
    compress_reset(&compress);
    assert_int_equal(add(0x3ffe, "\1a\3net"), 0x3ffe + 7); /* net stands at 0x4000 */
    assert_int_equal(add(0x5000, "\1b\3net"), 0x5000 + 7);
    assert_int_equal(add(0x6000, "\1b\3net"), 0x6000 + 7);
    compress_reset(&compress);
    assert_int_equal(add(0x3fff, "\1a"), 0x3fff + 3);
    assert_int_equal(add(0x5000, "\1a"), 0x5002);
    assert_memory_equal(message + 0x5000, "\xff\xff", 2);
}

static void names_of_127_labels_and_255_octets_are_taken(void **state)
{
    (void)state;
    char many[256] = "", longest[256] = "";
    for (int i = 0; i < 254; i += 2) {
        many[i] = 1;
        many[i + 1] = (char)('a' + i / 2 % 26);
    }
    memset(longest, 'x', 254);
    longest[0] = longest[64] = longest[128] = 63;
    longest[192] = 61;
    compress_reset(&compress);
    size_t at = add(BEGIN, many);
    assert_int_equal(at, BEGIN + 255);
    assert_int_equal(add(at, many), at + 2);
    at = add(at + 2, longest);
    assert_int_equal(at, BEGIN + 255 + 2 + 255);
    assert_int_equal(add(at, longest), at + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_share_their_ends_in_the_same_letters_alone),
        cmocka_unit_test(a_reset_forgets),
        cmocka_unit_test(nothing_points_beyond_the_reach_of_pointers),
        cmocka_unit_test(names_of_127_labels_and_255_octets_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
