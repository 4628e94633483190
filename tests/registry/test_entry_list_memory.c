/* A list that is read, and an entry that is written, with the n-th allocation failing, for all n.
 */
#include "registry/entry_list.h"
#include "registry/scan.h"
#include "support/allocation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = "[{\"service\":\"t/n\",\"location\":\"h:1\",\"ttl\":5,\"weight\":2,"
                           "\"txt\":{\"a\":\"b\"},\"subtypes\":[\"s\"]},"
                           "{\"service\":\"t/m\",\"location\":\"h:1\"}]";
static const char value[] = "{\"location\":\"h:1\",\"txt\":{\"a\":\"b\"}}";

static enum status count(void *arg, const struct entry_list_item *item, uint64_t number)
{
    (void)item;
    *(uint64_t *)arg = number;
    return STATUS_OK;
}

static void a_list_is_read_whole_or_says_so(void **state)
{
    (void)state;
    static const uint8_t seed[16] = "";
    struct key_root root = {"/foo", 4};
    bool has_failed = true;
    unsigned n = 0;
    for (; has_failed; n++) {
        struct entry_list list;
        struct detail why = {""};
        uint64_t number = 0;
        entry_list_init(&list, &root, seed, count, &number);
        allocation_begin(n);
        enum status status = entry_list_feed(&list, text, strlen(text), &why);
        has_failed = allocation_end();
        entry_list_clear(&list);
        if (status == STATUS_OK)
            assert_int_equal(number, 2);
        else
            assert_int_equal(status, STATUS_NO_MEMORY);
        assert_true((status == STATUS_OK) == !has_failed);
        assert_true(status == STATUS_OK || strstr(why.text, "out of memory"));
    }
    assert_true(n > 30);
}

static void an_object_is_written_whole_or_says_so(void **state)
{
    (void)state;
    struct scan_row row = {.key = "k", .key_len = 1, .value = value, .value_len = strlen(value)};
    bool has_failed = true;
    unsigned n = 0;
    for (; has_failed; n++) {
        struct buffer out;
        buffer_init(&out, 1000);
        allocation_begin(n);
        entry_list_write(&out, &row, true);
        has_failed = allocation_end();
        assert_int_equal(out.status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
        assert_true(has_failed || strstr(out.data, "\"txt\": {\"a\": \"b\"}}"));
        buffer_clear(&out);
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_read_whole_or_says_so),
        cmocka_unit_test(an_object_is_written_whole_or_says_so),
    };
    allocation_count_cjson();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
