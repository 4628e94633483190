#include "dns/server/counters.h"

#include "dns/answer/answer.h"
#include "support/client.h"

static void types_have_their_rows(void **state)
{
    static const struct {
        uint16_t type;
        enum counters_type row;
    } rows[] = {
        {1, COUNTERS_TYPE_A},       {33, COUNTERS_TYPE_SRV},      {255, COUNTERS_TYPE_ANY},
        {0, COUNTERS_TYPE_OTHER},   {3, COUNTERS_TYPE_OTHER},     {256, COUNTERS_TYPE_OTHER},
        {257, COUNTERS_TYPE_OTHER}, {65535, COUNTERS_TYPE_OTHER},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(counters_type_of(rows[i].type), rows[i].row);
}

static void an_answer_is_counted_by_what_it_says(void **state)
{
    (void)state;
    struct counters counters = {.dropped = 0}, sum = {.dropped = 3};
    const struct answer_result results[] = {
        {.type = 33, .rcode = 0, .has_cookie = true, .has_valid_cookie = true, .is_sampled = true},
        {.type = 33, .rcode = 1, .has_cookie = true},
        {.type = 16, .rcode = 4095, .is_truncated = true},
    };
    for (size_t i = 0; i < 3; i++) {
        counters_query(&counters, QUERY_TCP, &results[i]);
        counters_reply(&counters, QUERY_TCP, &results[i]);
    }
    counters_bump(&counters.dropped);
    counters_add(&sum, &counters);
    counters_add(&sum, &counters);
    assert_int_equal(sum.queries[QUERY_TCP][COUNTERS_TYPE_SRV], 4);
    assert_int_equal(sum.queries[QUERY_TCP][COUNTERS_TYPE_TXT], 2);
    assert_int_equal(sum.queries[QUERY_UDP][COUNTERS_TYPE_SRV], 0);
    assert_int_equal(sum.rcodes[QUERY_TCP][0], 2);
    assert_int_equal(sum.rcodes[QUERY_TCP][1], 2);
    assert_int_equal(sum.rcodes[QUERY_TCP][COUNTERS_RCODES - 1], 2);
    assert_int_equal(sum.malformed, 2);
    assert_int_equal(sum.sampled, 2);
    assert_int_equal(sum.truncated, 2);
    assert_int_equal(sum.cookies_valid, 2);
    assert_int_equal(sum.cookies_other, 2);
    assert_int_equal(sum.dropped, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_their_rows),
        cmocka_unit_test(an_answer_is_counted_by_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
