/* Requests whose n-th allocation fails, for all n: each ends once, and the next one is none the worse. */
#include "support/allocation.h"
#include "support/http_asker.h"

/* False: nothing failed. A connection that is closed at once gives its number to the next. */
static bool ask_without(unsigned left)
{
    struct http_outcome outcome;
    http_asker_open();
    allocation_begin(left);
    bool has_begun = http_asker_begin("/closed", (struct http_client_options){0}, &outcome);
    assert_true(!has_begun || CLIENT_LOOP_UNTIL(&http_asker.client, outcome.done, 5000));
    bool has_failed = allocation_end();
    assert_int_equal(outcome.done, has_begun);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(http_asker_ask("/good", (struct http_client_options){0}).result.code,
                         CURLE_OK);
    http_asker_close();
    return has_failed;
}

static void a_request_without_memory_ends_and_harms_no_other(void **state)
{
    unsigned n = 0;
    (void)state;
    while (ask_without(n))
        n++;
    assert_true(n > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_without_memory_ends_and_harms_no_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
