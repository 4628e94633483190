/* SipHash-2-4 against the reference implementation. */
#include "registry/base/siphash.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
// clang-format on

static void hex(const char *text, uint8_t *out)
{
    for (; *text; text += 2) {
        unsigned octet;
        assert_int_equal(sscanf(text, "%2x", &octet), 1);
        *out++ = (uint8_t)octet;
    }
}

/* The reference implementation's vectors: key 00..0f, data 00, 01, ... */
static void hashes_as_siphash_2_4(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *hash;
    } rows[] = {
        {0, "310e0edd47db6f72"}, {1, "fd67dc93c539f874"}, {2, "5a4fa9d909806c0d"},
        {3, "2d7efbd796666785"}, {8, "6224939a79f5f593"}, {15, "e545be4961ca29a1"},
    };
    uint8_t key[16], data[15], expected[8], out[8];
    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    memcpy(data, key, sizeof(data));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hex(rows[i].hash, expected);
        siphash(key, data, rows[i].len, out);
        assert_memory_equal(out, expected, 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hashes_as_siphash_2_4)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
