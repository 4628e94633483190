#include "registry/base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648 section 10, and octets that need the last two letters of the alphabet. */
static const struct {
    const char *octets;
    size_t len;
    const char *text;
} pairs[] = {
    {"", 0, ""},
    {"f", 1, "Zg=="},
    {"fo", 2, "Zm8="},
    {"foo", 3, "Zm9v"},
    {"foob", 4, "Zm9vYg=="},
    {"fooba", 5, "Zm9vYmE="},
    {"foobar", 6, "Zm9vYmFy"},
    {"\xfb\xff\xfe", 3, "+//+"},
    {"\0", 1, "AA=="},
};

static void pairs_encode_and_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char text[16], octets[16];
        size_t len = 99, text_len = strlen(pairs[i].text);
        assert_int_equal(base64_encoded_len(pairs[i].len), text_len);
        base64_encode(pairs[i].octets, pairs[i].len, text);
        assert_memory_equal(text, pairs[i].text, text_len);
        assert_true(base64_decode(text, text_len, octets, &len));
        assert_int_equal(len, pairs[i].len);
        assert_memory_equal(octets, pairs[i].octets, len);
        assert_true(base64_decode(text, text_len, text, &len));
        assert_memory_equal(text, pairs[i].octets, len);
    }
}

static const char *const bad[] = {"Z",     "Zg",      "Zg=",  "Zg===", "Zm9v====",     "====",
                                  "=",     "Zh==",    "Zm9=", "Zm 9",  "Zm9vZg==Zm9v", "Zm-_",
                                  "Zm\n9", "\xff===", "Z=g="};

static void what_is_not_base64_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char out[16];
        size_t len;
        assert_false(base64_decode(bad[i], strlen(bad[i]), out, &len));
    }
}

static void every_octet_survives(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 256; len++) {
        uint8_t octets[256];
        char text[400], out[400];
        size_t out_len;
        for (size_t i = 0; i < len; i++)
            octets[i] = (uint8_t)(i * 7 + len);
        base64_encode(octets, len, text);
        assert_true(base64_decode(text, base64_encoded_len(len), out, &out_len));
        assert_int_equal(out_len, len);
        assert_memory_equal(out, octets, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_encode_and_decode),
        cmocka_unit_test(what_is_not_base64_is_refused),
        cmocka_unit_test(every_octet_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
