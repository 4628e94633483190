#include "zones/name/name.h"

#include "registry/base/hash_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* `len` octets, NAME_PAD more, and nothing behind them. */
static uint8_t *padded(const uint8_t *octets, size_t len, uint8_t pad)
{
    uint8_t *copy = malloc(len + NAME_PAD);
    assert_non_null(copy);
    if (len)
        memcpy(copy, octets, len);
    memset(copy + len, pad, NAME_PAD);
    return copy;
}

/* All octets, in an order that puts each at every place of a word. */
static void fill(uint8_t *octets, size_t len, unsigned from)
{
    for (size_t i = 0; i < len; i++)
        octets[i] = (uint8_t)(from + i * 37);
}

static uint8_t lower(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + 32) : octet;
}

static void folds_ascii_letters_and_nothing_else(void **state)
{
    (void)state;
    for (unsigned octet = 0; octet < 256; octet++) {
        name_block block = {0}, expected = {0};
        assert_int_equal(name_fold_octet((uint8_t)octet), lower((uint8_t)octet));
        block += (uint8_t)octet;
        expected += lower((uint8_t)octet);
        assert_true(name_is_zero(name_fold_block(block) ^ expected));
    }
}

static void folds_at_every_length(void **state)
{
    (void)state;
    uint8_t octets[NAME_MAX_LEN] = {0};
    for (size_t len = 0; len <= NAME_MAX_LEN; len++) {
        fill(octets, len, (unsigned)len);
        uint8_t *in = padded(octets, len, 'X'), *out = padded(octets, len, 'Y');
        uint8_t *exact = malloc(len ? len : 1);
        name_fold(out, (struct name_padded){in, len});
        name_fold_exact(exact, in, len);
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(out[i], lower(octets[i]));
            assert_int_equal(exact[i], lower(octets[i]));
        }
        free(in);
        free(out);
        free(exact);
    }
}

static void compares_without_case_at_every_length(void **state)
{
    (void)state;
    uint8_t octets[NAME_MAX_LEN] = {0}, folded_octets[NAME_MAX_LEN] = {0};
    for (size_t len = 0; len <= NAME_MAX_LEN; len++) {
        fill(octets, len, 3 * (unsigned)len);
        name_fold_exact(folded_octets, octets, len);
        uint8_t *folded = padded(folded_octets, len, 'p'), *name = padded(octets, len, 'q');
        uint8_t *other = padded(folded_octets, len, 'r');
        assert_true(name_equal((struct name_padded){folded, len}, (struct name_padded){name, len}));
        assert_true(name_same((struct name_padded){folded, len}, (struct name_padded){other, len}));
        for (size_t i = 0; i < len; i++) {
            name[i] ^= 0x80;
            other[i] ^= 0x80;
            assert_false(
                name_equal((struct name_padded){folded, len}, (struct name_padded){name, len}));
            assert_false(
                name_same((struct name_padded){folded, len}, (struct name_padded){other, len}));
            name[i] = octets[i];
            other[i] = folded_octets[i];
        }
        free(folded);
        free(other);
        free(name);
    }
}

static void hashes_what_counts_and_nothing_behind(void **state)
{
    (void)state;
    struct name_seed seed = {
        {UINT64_C(0xa0761d6478bd642f), UINT64_C(0xe7037ed1a0b428db), UINT64_C(0x8ebc6af09c88c6e3)}};
    struct name_seed other = seed;
    other.word[2] ^= 1;
    uint8_t octets[NAME_MAX_LEN] = {0};
    for (size_t len = 0; len <= NAME_MAX_LEN; len++) {
        fill(octets, len, (unsigned)len);
        uint8_t *a = padded(octets, len, 0), *b = padded(octets, len, 0xff);
        uint64_t hash = name_hash(&seed, (struct name_padded){a, len});
        assert_true(hash == name_hash(&seed, (struct name_padded){b, len}));
        assert_true(hash != name_hash(&other, (struct name_padded){a, len}));
        for (size_t i = 0; i < len; i++) {
            b[i] ^= 1;
            assert_true(hash != name_hash(&seed, (struct name_padded){b, len}));
            b[i] ^= 1;
        }
        free(a);
        free(b);
    }
    static const uint8_t zeros[64 + NAME_PAD];
    for (size_t len = 1; len <= 64; len++)
        assert_true(name_hash(&seed, (struct name_padded){zeros, len}) !=
                    name_hash(&seed, (struct name_padded){zeros, len - 1}));
}

static void seeds_differ(void **state)
{
    (void)state;
    struct name_seed a, b;
    assert_int_equal(name_seed_init(&a), STATUS_OK);
    assert_int_equal(name_seed_init(&b), STATUS_OK);
    assert_memory_not_equal(&a, &b, sizeof(a));
}

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X63 X50 X10 "xxx"
#define X61 X50 X10 "x"

static void reads_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status status;
        const char *wire; /* without the root label */
    } rows[] = {
        {".", STATUS_OK, ""},
        {"", STATUS_OK, ""},
        {"a", STATUS_OK, "\1a"},
        {"a.", STATUS_OK, "\1a"},
        {"Empusa.internal", STATUS_OK, "\6Empusa\10internal"},
        {"a b.\xc3\xa9", STATUS_OK, "\3a b\2\xc3\xa9"},
        {"a..b", STATUS_BAD_INPUT, NULL},
        {".a", STATUS_BAD_INPUT, NULL},
        {"..", STATUS_BAD_INPUT, NULL},
        {"a\\.b", STATUS_BAD_INPUT, NULL},
        {X63, STATUS_OK, "\77" X63},
        {X63 "x", STATUS_BAD_INPUT, NULL},
        {X63 "." X63 "." X63 "." X61, STATUS_OK, "\77" X63 "\77" X63 "\77" X63 "\75" X61},
        {X63 "." X63 "." X63 "." X61 "x", STATUS_BAD_INPUT, NULL},
        {X63 "." X63 "." X63 "." X61 ".x", STATUS_BAD_INPUT, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct name_buffer out = {{77}, 7};
        struct detail why;
        assert_int_equal(name_from_text(rows[i].text, &out, &why), rows[i].status);
        if (rows[i].status != STATUS_OK) {
            assert_int_equal(out.len, 7);
            assert_int_equal(out.octets[0], 77);
            continue;
        }
        assert_int_equal(out.len, strlen(rows[i].wire) + 1);
        assert_memory_equal(out.octets, rows[i].wire, out.len);
    }
}

static void shows_names(void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        size_t len;
        const char *text;
    } rows[] = {
        {"", 1, "."},
        {"", 0, "."},
        {"\1a", 3, "a."},
        {"\1a\1b", 4, "a.b."},
        {"\5a.b c\1\\", 8, "a\\.b\\032c.\\\\."},
        {"\7\"();@$x", 8, "\\\"\\(\\)\\;\\@\\$x."},
        {"\4\0\x1f\x7f\xff", 5, "\\000\\031\\127\\255."},
    };
    char text[NAME_TEXT_MAX];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        name_to_text((const uint8_t *)rows[i].wire, rows[i].len, text);
        assert_string_equal(text, rows[i].text);
    }
    uint8_t longest[NAME_MAX_LEN] = {63, [64] = 63, [128] = 63, [192] = 61};
    name_to_text(longest, sizeof(longest), text);
    assert_int_equal(strlen(text), 4 * (63 * 3 + 61) + 4);
}

static uint64_t pair_hash(const void *seed, const uint64_t *pair)
{
    return name_hash_pair(seed, pair[0], pair[1]);
}

static size_t longest_run(const struct hash_set *set)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < 2 * set->capacity; i++) {
        const uint64_t *row = &set->rows[i % set->capacity * 2];
        run = row[0] != 0 || row[1] != 0 ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* Of addresses that one product with known factors lays upon each other, and of other regular ones.
 */
static void chosen_pairs_do_not_fall_together(void **state)
{
    (void)state;
    static const struct {
        uint64_t a, b, a_step, b_step;
    } rows[] = {
        {UINT64_C(0x9e3779b97f4a7c15), 0, 0, 1},
        {0, UINT64_C(0xd1b54a32d192ed03), 1, 0},
        {1, 1, 1, 0},
        {1, 1, 0, 1},
        {0, 1, UINT64_C(1) << 48, 0},
        {0, 1, UINT64_C(1) << 32, UINT64_C(1) << 32},
    };
    struct name_seed seed;
    assert_int_equal(name_seed_init(&seed), STATUS_OK);
    print_message("seed: %#jx %#jx %#jx\n", (uintmax_t)seed.word[0], (uintmax_t)seed.word[1],
                  (uintmax_t)seed.word[2]);
    struct hash_set set = {.hash = pair_hash, .seed = &seed, .words = 2};
    bool is_new;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (uint64_t j = 0; j < 4000; j++)
            assert_int_equal(hash_set_add(&set,
                                          (uint64_t[]){rows[i].a + j * rows[i].a_step,
                                                       rows[i].b + j * rows[i].b_step},
                                          &is_new),
                             STATUS_OK);
        assert_int_equal(set.capacity, 8192);
        assert_in_range(longest_run(&set), 1, 400);
        hash_set_reset(&set);
    }
    hash_set_clear(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_ascii_letters_and_nothing_else),
        cmocka_unit_test(folds_at_every_length),
        cmocka_unit_test(compares_without_case_at_every_length),
        cmocka_unit_test(hashes_what_counts_and_nothing_behind),
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(chosen_pairs_do_not_fall_together),
        cmocka_unit_test(reads_names),
        cmocka_unit_test(shows_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
