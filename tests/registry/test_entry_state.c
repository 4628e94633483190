#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry/entry.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define L            "\"location\":\"h:1\""
#define D            "\"state\":\"draining\""

struct row {
    const char *value;
    enum status status;
    const char *expected;
};

static void check(const struct row *row, bool is_draining)
{
    char *out = NULL;
    size_t len = 0;
    struct detail why;
    enum status status =
        entry_state_set(row->value, strlen(row->value), is_draining, &out, &len, &why);
    if (status != row->status || (out && strcmp(out, row->expected) != 0))
        print_message("%s -> %d %s\n", row->value, status, out ? out : "");
    assert_int_equal(status, row->status);
    if (status == STATUS_OK) {
        assert_string_equal(out, row->expected);
        assert_int_equal(len, strlen(out));
    } else {
        assert_null(out);
    }
    free(out);
}

static void draining_adds_the_state_and_touches_nothing_else(void **state)
{
    static const struct row rows[] = {
        {"h:1", STATUS_OK, "{" L "," D "}"},
        {"{" L "}", STATUS_OK, "{" L "," D "}"},
        {"{" L "," D "}", STATUS_CONFLICT, NULL},
        {"{" L ",\"state\":\"up\"}", STATUS_OK, "{" L "," D "}"},
        {"{\"state\" : \"up\" ," L "}", STATUS_OK, "{\"state\" : \"draining\" ," L "}"},
        {"{\"state\":7," L "}", STATUS_OK, "{" D "," L "}"},
        {"{\"n\":1e400,\"x\":{\"state\":\"up\",\"a\":[1,{}]}," L "}", STATUS_OK,
         "{\"n\":1e400,\"x\":{\"state\":\"up\",\"a\":[1,{}]}," L "," D "}"},
        {"{\"q\":\"}\\\"{,\\\\\"," L " }", STATUS_OK, "{\"q\":\"}\\\"{,\\\\\"," L " ," D "}"},
        {"", STATUS_BAD_INPUT, NULL},
        {"nonsense", STATUS_BAD_INPUT, NULL},
        {"{}", STATUS_BAD_INPUT, NULL},
        {"{" L, STATUS_BAD_INPUT, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check(&rows[i], true);
}

static void undraining_takes_the_state_away(void **state)
{
    static const struct row rows[] = {
        {"h:1", STATUS_CONFLICT, NULL},
        {"{" L ",\"state\":\"up\"}", STATUS_CONFLICT, NULL},
        {"{" L "," D "}", STATUS_OK, "h:1"},
        {"{" D "," L "}", STATUS_OK, "h:1"},
        {"{" L ",\"weight\":5," D "}", STATUS_OK, "{" L ",\"weight\":5}"},
        {"{" L "," D ",\"weight\":5}", STATUS_OK, "{" L ",\"weight\":5}"},
        {"{" D ", " L ",\"colour\":\"red\"}", STATUS_OK, "{" L ",\"colour\":\"red\"}"},
        {"{" L ",\"n\":10000000000000000001 , " D " }", STATUS_OK,
         "{" L ",\"n\":10000000000000000001 }"},
        {"{" L ",\"a\":1," D "," D "}", STATUS_BAD_INPUT, NULL},
        {"{" L ",\"a\":1,\"st\\u0061te\":\"draining\"}", STATUS_BAD_INPUT, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check(&rows[i], false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draining_adds_the_state_and_touches_nothing_else),
        cmocka_unit_test(undraining_takes_the_state_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
