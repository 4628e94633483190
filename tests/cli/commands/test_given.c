#include "cli/commands/given.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool add(struct given *given, const char *text, size_t len)
{
    bool is_new = false;
    assert_int_equal(given_add(given, text, len, &is_new), STATUS_OK);
    return is_new;
}

static void knows_what_came_before(void **state)
{
    (void)state;
    struct given given = {.hashes = NULL};
    assert_true(add(&given, "a", 1));
    assert_true(add(&given, "b", 1));
    assert_true(add(&given, "", 0));
    assert_true(add(&given, "ab", 2));
    assert_true(add(&given, "a\0b", 3));
    assert_false(add(&given, "a", 1));
    assert_false(add(&given, "", 0));
    assert_int_equal(given.count, 5);
    given_clear(&given);
    assert_true(add(&given, "a", 1));
    given_clear(&given);
}

static void knows_each_of_many(void **state)
{
    (void)state;
    struct given given = {.hashes = NULL};
    char text[32];
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < 200000; i++) {
            int len = snprintf(text, sizeof(text), "/foo/service/http/web-%u", i);
            assert_int_equal(add(&given, text, (size_t)len), turn == 0);
        }
    }
    assert_int_equal(given.count, 200000);
    assert_true(given.size * 3 / 4 >= given.count && given.size <= 200000 * 3);
    given_clear(&given);
}

/* FNV-1a: a hash without a secret, for which texts can be chosen. */
static uint64_t known_hash(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

static size_t longest_run(const struct given *given)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < 2 * given->size; i++) {
        run = given->hashes[i % given->size] ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* By chance the longest run of 3,000 in 4,096 places is about 100. */
static void chosen_texts_do_not_fall_together(void **state)
{
    (void)state;
    struct given given = {.hashes = NULL};
    char text[32];
    for (unsigned i = 0; given.count < 3000; i++) {
        int len = snprintf(text, sizeof(text), "/foo/service/http/web-%u", i);
        if ((known_hash(text, (size_t)len) & 4095) < 16)
            assert_true(add(&given, text, (size_t)len));
    }
    assert_int_equal(given.size, 4096);
    assert_in_range(longest_run(&given), 1, 600);
    given_clear(&given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_came_before),
        cmocka_unit_test(knows_each_of_many),
        cmocka_unit_test(chosen_texts_do_not_fall_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
