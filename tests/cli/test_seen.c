#include "seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool add(struct seen *seen, const char *text, size_t len)
{
    bool is_new = false;
    assert_int_equal(seen_add(seen, text, len, &is_new), STATUS_OK);
    return is_new;
}

static void knows_what_came_before(void **state)
{
    (void)state;
    struct seen seen = {.hashes = NULL};
    assert_true(add(&seen, "a", 1));
    assert_true(add(&seen, "b", 1));
    assert_true(add(&seen, "", 0));
    assert_true(add(&seen, "ab", 2));
    assert_true(add(&seen, "a\0b", 3));
    assert_false(add(&seen, "a", 1));
    assert_false(add(&seen, "", 0));
    assert_int_equal(seen.count, 5);
    seen_clear(&seen);
    assert_true(add(&seen, "a", 1));
    seen_clear(&seen);
}

static void knows_each_of_many(void **state)
{
    (void)state;
    struct seen seen = {.hashes = NULL};
    char text[32];
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < 200000; i++) {
            int len = snprintf(text, sizeof(text), "/foo/service/http/web-%u", i);
            assert_int_equal(add(&seen, text, (size_t)len), turn == 0);
        }
    }
    assert_int_equal(seen.count, 200000);
    assert_true(seen.size * 3 / 4 >= seen.count && seen.size <= 200000 * 3);
    seen_clear(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_came_before),
        cmocka_unit_test(knows_each_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
