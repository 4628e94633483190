#include "registry/base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REASON "not a whole number from 0 to 9000000000"

static const size_t lengths[] = {0, 1, 100, 440, 441, 511, 512, 513, 600, 1023, 5000, 130000};

/* Values of many lengths, of octets of each kind; to be freed. */
static char *value_of(size_t len, unsigned kind)
{
    static const char *const kinds[] = {"v", "\xff", "\x1b", "\xc3\xa9", "\xe2\x80\xae", "\": "};
    const char *unit = kinds[kind % 6];
    char *text = malloc(len + 1);
    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = unit[i % strlen(unit)];
    text[len] = '\0';
    return text;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void a_long_value_pushes_no_reason_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (unsigned kind = 0; kind < 6; kind++) {
            struct detail why;
            char *value = value_of(lengths[i], kind);
            assert_int_equal(detail_set(&why, STATUS_BAD_INPUT, "--ttl \"%s\": " REASON, value),
                             STATUS_BAD_INPUT);
            assert_memory_equal(why.text, "--ttl \"", 7);
            assert_true(ends_with(why.text, "\": " REASON));
            free(value);
        }
    }
}

static void what_is_put_before_pushes_no_reason_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (unsigned kind = 0; kind < 6; kind++) {
            struct detail why;
            char *value = value_of(lengths[i], kind);
            (void)detail_set(&why, STATUS_BAD_INPUT, "value %s is bad: " REASON, value);
            (void)detail_wrap(&why, STATUS_BAD_INPUT, "file %s", value);
            (void)detail_wrap(&why, STATUS_BAD_INPUT, "outermost");
            assert_memory_equal(why.text, "outermost: file ", 15);
            assert_true(ends_with(why.text, "is bad: " REASON));
            free(value);
        }
    }
}

static void nobody_may_want_to_know(void **state)
{
    (void)state;
    assert_int_equal(detail_set(NULL, STATUS_DENIED, "%s", "x"), STATUS_DENIED);
    assert_int_equal(detail_wrap(NULL, STATUS_DENIED, "%s", "x"), STATUS_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_value_pushes_no_reason_out),
        cmocka_unit_test(what_is_put_before_pushes_no_reason_out),
        cmocka_unit_test(nobody_may_want_to_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
