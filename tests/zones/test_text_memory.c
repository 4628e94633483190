/* A zone that is printed with the n-th allocation failing, for all n: it says so, and no line is wrong. */
#include "zones/text.h"

#include "support/allocation.h"
#include "zones/zone.h"

#include <stdlib.h>
#include <string.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static const struct zone_address servers[] = {{"ns", {AF_INET, {127, 0, 0, 1}}}};
static const struct zone_options options = {.domain = "empusa.internal",
                                            .record_ttl_s = 10,
                                            .negative_ttl_s = 5,
                                            .ns = servers,
                                            .ns_count = 1,
                                            .has_switches = true};

static char *print_without(const struct zone *zone, unsigned left, enum status *status,
                           bool *has_failed)
{
    char *printed = NULL;
    size_t len;
    FILE *file = open_memstream(&printed, &len);
    assert_non_null(file);
    allocation_begin(left);
    *status = text_zone(zone, file);
    *has_failed = allocation_end();
    fclose(file);
    return printed;
}

static void lines_are_right_or_missing(void **state)
{
    static const char key[] = "/service/web/shop", v6_key[] = "/service/web/blog";
    static const char value[] = "{\"location\":\"10.1.2.3:80\",\"txt\":{\"a\":\"b\"}}";
    bool has_failed = true;
    enum status status;
    struct zone *zone;
    unsigned n = 0;
    (void)state;
    assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
    assert_int_equal(zone_put(zone, key, strlen(key), value, strlen(value), 1, 0), STATUS_OK);
    assert_int_equal(zone_put(zone, v6_key, strlen(v6_key), "[fd00::1]:1", 11, 2, 0), STATUS_OK);
    zone_commit(zone, 2);
    char *whole = print_without(zone, UINT_MAX, &status, &has_failed);
    assert_int_equal(status, STATUS_OK);
    for (has_failed = true; has_failed; n++) {
        char *part = print_without(zone, n, &status, &has_failed);
        assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
        assert_memory_equal(part, whole, strlen(part));
        assert_int_equal(strlen(part) == strlen(whole), !has_failed);
        free(part);
    }
    assert_true(n > 100);
    free(whole);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_are_right_or_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
