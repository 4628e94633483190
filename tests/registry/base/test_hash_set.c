#include "registry/base/hash_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool add(struct hash_set *set, uint64_t a, uint64_t b)
{
    bool is_new = false;
    assert_int_equal(hash_set_add(set, (uint64_t[]){a, b}, &is_new), STATUS_OK);
    return is_new;
}

/* Of pairs: poor enough that many want the same place. */
static uint64_t sum(const void *seed, const uint64_t *pair)
{
    return *(const uint64_t *)seed + pair[0] / 2 + pair[1];
}

static const uint64_t seed = 5;

static void knows_each_once(void **state)
{
    (void)state;
    struct hash_set pairs = {.hash = sum, .seed = &seed, .words = 2}, words = {.words = 1};
    for (int round = 0; round < 3; round++) {
        for (int again = 0; again < 2; again++)
            for (uint64_t i = 0; i < 2000; i++) {
                assert_int_equal(add(&pairs, i / 50, i % 50), !again);
                assert_int_equal(add(&words, i << 40, 1), !again);
            }
        assert_int_equal(pairs.count, 1999); /* and the one of zeros */
        assert_true(pairs.has_zero && words.has_zero);
        hash_set_reset(&pairs);
        hash_set_reset(&words);
        assert_true(pairs.count == 0 && words.count == 0);
    }
    hash_set_clear(&pairs);
    hash_set_clear(&words);
    assert_null(pairs.rows);
    assert_true(add(&pairs, 1, 1) && !add(&pairs, 1, 1));
    hash_set_clear(&pairs);
}

/* Half a pair is none: neither word alone makes it known, nor empty. */
static void both_words_count(void **state)
{
    (void)state;
    struct hash_set set = {.hash = sum, .seed = &seed, .words = 2};
    assert_true(add(&set, 0, 7));
    assert_true(add(&set, 7, 0));
    assert_true(add(&set, 7, 7));
    assert_true(add(&set, 0, 0));
    assert_false(add(&set, 0, 7));
    assert_false(add(&set, 7, 0));
    assert_false(add(&set, 0, 0));
    hash_set_clear(&set);
}

static void little_memory_is_kept_and_much_given_back(void **state)
{
    (void)state;
    struct hash_set set = {.words = 1};
    for (uint64_t i = 0; i <= 700; i++)
        add(&set, i, 0);
    const uint64_t *rows = set.rows;
    hash_set_reset(&set);
    assert_true(rows && set.rows == rows);
    assert_true(add(&set, 0, 0) && add(&set, 700, 0));
    for (uint64_t i = 1; i <= 100000; i++)
        add(&set, i, 0);
    assert_true(set.capacity * 3 / 4 >= set.count && set.capacity <= 300000);
    hash_set_reset(&set);
    assert_null(set.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_each_once),
        cmocka_unit_test(both_words_count),
        cmocka_unit_test(little_memory_is_kept_and_much_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
