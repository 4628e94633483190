#include "registry/feed/kv_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MANY 5000

static struct kv_copies copies;
static unsigned swept;

static int open_copies(void **state)
{
    (void)state;
    assert_int_equal(kv_copies_init(&copies), STATUS_OK);
    swept = 0;
    return 0;
}

static int clear_copies(void **state)
{
    (void)state;
    kv_copies_clear(&copies);
    return 0;
}

static struct kv_copy *put(const char *key, const char *value, int64_t revision)
{
    struct kv_copy *copy = NULL;
    struct kv kv = {.key = key,
                    .key_len = strlen(key),
                    .value = value,
                    .value_len = strlen(value),
                    .mod_revision = revision,
                    .lease = 7};
    assert_int_equal(kv_copies_put(&copies, &kv, &copy), STATUS_OK);
    assert_true(kv_copy_is(copy, &kv));
    return copy;
}

static struct kv_copy *find(const char *key)
{
    return kv_copies_find(&copies, key, strlen(key));
}

static void sweep(void *arg, struct kv_copy *copy)
{
    (void)arg;
    swept++;
    kv_copies_remove(&copies, copy);
}

static void what_is_put_is_found_as_it_was(void **state)
{
    (void)state;
    assert_null(find("a"));
    struct kv_copy *copy = put("a", "one", 3);
    struct kv kv = kv_copy_kv(copy);
    assert_ptr_equal(find("a"), copy);
    assert_null(find("b"));
    assert_int_equal(kv.key_len, 1);
    assert_memory_equal(kv.key, "a", 1);
    assert_int_equal(kv.value_len, 3);
    assert_memory_equal(kv.value, "one", 3);
    assert_int_equal(kv.mod_revision, 3);
    assert_int_equal(kv.lease, 7);
    assert_false(kv.is_value_cut);
}

static void a_value_takes_the_place_of_the_one_before(void **state)
{
    static const char *const values[] = {"two", "a longer one", "", "x"};
    int owner;
    (void)state;
    put("a", "one", 3)->user = &owner;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct kv_copy *copy = put("a", values[i], 4);
        assert_ptr_equal(find("a"), copy);
        assert_ptr_equal(copy->user, &owner);
        assert_int_equal(copies.count, 1);
    }
}

static void any_difference_is_one(void **state)
{
    (void)state;
    const struct kv_copy *copy = put("a", "one", 3);
    const struct kv kvs[] = {
        {.value = "one", .value_len = 3, .mod_revision = 4, .lease = 7},
        {.value = "one", .value_len = 3, .mod_revision = 3, .lease = 8},
        {.value = "two", .value_len = 3, .mod_revision = 3, .lease = 7},
        {.value = "on", .value_len = 2, .mod_revision = 3, .lease = 7},
    };
    for (size_t i = 0; i < sizeof(kvs) / sizeof(kvs[0]); i++)
        assert_false(kv_copy_is(copy, &kvs[i]));
}

static void many_are_found_while_others_come_and_go(void **state)
{
    char key[16];
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "%u", i);
        put(key, key, i);
    }
    assert_int_equal(copies.count, MANY);
    for (unsigned i = 0; i < MANY; i += 2) {
        snprintf(key, sizeof(key), "%u", i);
        kv_copies_remove(&copies, find(key));
    }
    assert_int_equal(copies.count, MANY / 2);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "%u", i);
        assert_int_equal(find(key) != NULL, i % 2);
    }
}

static void what_a_load_does_not_put_is_swept(void **state)
{
    (void)state;
    put("a", "one", 3);
    put("b", "two", 3);
    struct kv_copy *marked = put("c", "three", 3);
    kv_copies_unmark(&copies);
    put("a", "one", 3);
    kv_copies_mark(&copies, marked);
    kv_copies_sweep(&copies, sweep, NULL);
    assert_int_equal(swept, 1);
    assert_null(find("b"));
    assert_non_null(find("a"));
    assert_non_null(find("c"));
}

/* Nor what a load put that was broken off, be there ever so many of them. */
static void a_load_begun_anew_forgets_the_marks_of_those_before(void **state)
{
    (void)state;
    for (unsigned loads = 1; loads < 600; loads++) {
        put("a", "one", 3);
        for (unsigned i = 0; i < loads; i++)
            kv_copies_unmark(&copies);
        put("b", "two", 3);
        swept = 0;
        kv_copies_sweep(&copies, sweep, NULL);
        assert_int_equal(swept, 1);
        assert_null(find("a"));
        assert_non_null(find("b"));
    }
}

static void keys_are_octets(void **state)
{
    static const struct kv kv = {.key = "a\0b", .key_len = 3, .value = "\0", .value_len = 1};
    (void)state;
    assert_int_equal(kv_copies_put(&copies, &kv, NULL), STATUS_OK);
    assert_non_null(kv_copies_find(&copies, "a\0b", 3));
    assert_null(kv_copies_find(&copies, "a\0c", 3));
    assert_null(kv_copies_find(&copies, "a", 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_copies, clear_copies)
    const struct CMUnitTest tests[] = {
        TEST(what_is_put_is_found_as_it_was),
        TEST(a_value_takes_the_place_of_the_one_before),
        TEST(any_difference_is_one),
        TEST(many_are_found_while_others_come_and_go),
        TEST(what_a_load_does_not_put_is_swept),
        TEST(a_load_begun_anew_forgets_the_marks_of_those_before),
        TEST(keys_are_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
