/* What a value's JSON becomes before cJSON sees it. */
#include "entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUMBER_40 "1234567890123456789012345678901234567890"
#define OPEN_16   "[[[[[[[[[[[[[[[["
#define CLOSE_16  "]]]]]]]]]]]]]]]]"

/* In a buffer that ends where the value does, so that a checker sees what is read beyond. */
static size_t prepare(const char *value, size_t len, char *out, uint8_t *nul)
{
    char *exact = malloc(len ? len : 1);
    assert_non_null(exact);
    memcpy(exact, value, len);
    *nul = 0;
    size_t out_len = entry_text_prepare(exact, len, out, nul);
    assert_true(out_len <= len);
    free(exact);
    return out_len;
}

/* NULL: as it is. */
static const struct {
    const char *value, *prepared;
} rows[] = {
    {"{\"a\":[1,-2.5e3,true,null,\"b\"]}", NULL},
    {"{ \"a\" : \"\\\" \\\\ \\n \\/ \" }", NULL},
    {"{\"a\":\"\\u0041\\u00e4\\uFFFF\"}", NULL},
    {"\"\\ud83d\\ude00\"", NULL},
    {"\"\\uD83D\\uDE00\"", NULL},
    {"\"\\\\u0000\"", NULL}, /* a backslash, and letters */
    {"\"{[\"", NULL},
    {"]", ""},
    {"[}", ""},
    {"{]", ""},
    {"[", ""},
    {"[]]", ""},
    {"{\"a\":[}]", ""},
    /* lone surrogates */
    {"\"\\ud83d\"", "\"\\ufffd\""},
    {"\"\\ude00\"", "\"\\ufffd\""},
    {"\"\\ud83dx\\ude00\"", "\"\\ufffdx\\ufffd\""},
    {"\"\\ude00\\ud83d\"", "\"\\ufffd\\ufffd\""},
    {"\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\""},
    {"\"\\ud83d\\u0041\"", "\"\\ufffd\\u0041\""},
    {"\"\\ud7ff\\ue000\"", NULL},
    /* strings that do not end, or are none */
    {"\"", ""},
    {"\"abc", ""},
    {"\"abc\\", ""},
    {"\"abc\\\"", ""},
    {"\"\\u12\"", ""},
    {"\"\\u12g4\"", ""},
    {"\"\\u123", ""},
    /* numbers: as they are up to 40 characters */
    {"[" NUMBER_40 "]", NULL},
    {"[" NUMBER_40 "1]", "[1.2345678901234568e+40]"},
    {"[-" NUMBER_40 "]", "[-1.2345678901234568e+39]"},
    {"[0.0000000000000000000000000000000000000001]", "[9.9999999999999993e-41]"},
    {"[0000000000000000000000000000000000000000000000000001]", "[1]"},
    {"[1e00000000000000000000000000000000000000000000999]", "[1e999]"},
    {"[-1e00000000000000000000000000000000000000000000999]", "[-1e999]"},
    {"[1-1111111111111111111111111111111111111111111111]", ""},
    {"[1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3]", ""},
    {"17", ""}, /* the value is no object; and may go on */
    /* depth: from the 17th bracket on a 0 */
    {OPEN_16 CLOSE_16, NULL},
    {OPEN_16 "[]" CLOSE_16, OPEN_16 "0" CLOSE_16},
    {OPEN_16 "[1,[2,{\"a\":[]}],3]" CLOSE_16, OPEN_16 "0" CLOSE_16},
    {OPEN_16 "[],{},1" CLOSE_16, OPEN_16 "0,0,1" CLOSE_16},
    {OPEN_16 "[}" CLOSE_16, ""},
    {OPEN_16 "{\"a\":1}" CLOSE_16, OPEN_16 "0" CLOSE_16},
};

static void what_cjson_refuses_becomes_what_it_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[256];
        uint8_t nul;
        const char *due = rows[i].prepared ? rows[i].prepared : rows[i].value;
        size_t len = prepare(rows[i].value, strlen(rows[i].value), out, &nul);
        if (len != strlen(due) || memcmp(out, due, len) != 0)
            fail_msg("%s: %.*s", rows[i].value, (int)len, out);
        assert_int_equal(nul, 0);
    }
}

/* An octet that the value does not have, and no UTF-8 has. */
static void a_nul_is_stood_in_for(void **state)
{
    char out[64];
    uint8_t nul;
    (void)state;
    size_t len = prepare("\"a\\u0000b\"", 10, out, &nul);
    assert_int_equal(nul, 0xff);
    assert_int_equal(len, 5);
    assert_memory_equal(out,
                        "\"a\xff"
                        "b\"",
                        5);
    len = prepare("\"\xff\xfe\\u0000\"", 10, out, &nul);
    assert_int_equal(nul, 0xfd);
    assert_memory_equal(out, "\"\xff\xfe\xfd\"", 5);
    /* Where there is none left it becomes U+FFFD. */
    static const char full[] = "\"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\\u0000\"";
    len = prepare(full, sizeof(full) - 1, out, &nul);
    assert_int_equal(nul, 0);
    assert_int_equal(len, sizeof(full) - 1);
    assert_memory_equal(out + 12, "\\ufffd\"", 7);
    /* As an octet it is no JSON. */
    assert_int_equal(prepare("\"a\0b\"", 5, out, &nul), 0);
    assert_int_equal(prepare("[\0]", 3, out, &nul), 0);
}

static void depth_has_no_end(void **state)
{
    static char value[ENTRY_VALUE_MAX], out[ENTRY_VALUE_MAX];
    uint8_t nul;
    (void)state;
    memset(value, '[', sizeof(value) / 2);
    memset(value + sizeof(value) / 2, ']', sizeof(value) / 2);
    size_t len = prepare(value, sizeof(value), out, &nul);
    assert_int_equal(len, strlen(OPEN_16 "0" CLOSE_16));
    assert_memory_equal(out, OPEN_16 "0" CLOSE_16, len);
    memset(value, '[', sizeof(value));
    assert_int_equal(prepare(value, sizeof(value), out, &nul), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cjson_refuses_becomes_what_it_takes),
        cmocka_unit_test(a_nul_is_stood_in_for),
        cmocka_unit_test(depth_has_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
