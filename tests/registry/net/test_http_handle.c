/* What libcurl is told of a request: its time, its body, where it goes, and that a write goes once. */
#include "support/http_asker.h"

static void a_request_has_its_time(void **state)
{
    (void)state;
    http_asker_open();
    uint64_t began_ns = uv_hrtime();
    struct http_outcome outcome =
        http_asker_ask("/mute", (struct http_client_options){.timeout_ms = 200});
    assert_int_equal(outcome.result.code, CURLE_OPERATION_TIMEDOUT);
    assert_in_range((uv_hrtime() - began_ns) / 1000000, 150, 5000);
    assert_true(outcome.result.was_sent);
    http_asker_close();
}

/* libcurl would send once more what a kept connection did not take. */
static void what_may_be_sent_once_is_sent_once(void **state)
{
    (void)state;
    for (unsigned is_once = 0; is_once < 2; is_once++) {
        http_asker_open();
        (void)http_asker_ask("/good", (struct http_client_options){0});
        struct http_outcome outcome = http_asker_ask(
            "/closed",
            (struct http_client_options){.body = "w", .body_len = 1, .is_once = is_once});
        assert_int_not_equal(outcome.result.code, CURLE_OK);
        assert_true(outcome.result.was_sent);
        assert_int_equal(http_asker.gateway.used[HTTP_ASKER_CLOSED], is_once ? 1 : 2);
        http_asker_close();
    }
}

static void who_gives_up_hears_no_more(void **state)
{
    struct http_outcome outcome;
    (void)state;
    http_asker_open();
    (void)http_asker_begin("/stream", (struct http_client_options){0}, &outcome);
    outcome.gives_up = true;
    assert_true(CLIENT_LOOP_UNTIL(&http_asker.client, outcome.done, 5000));
    assert_int_equal(outcome.result.code, CURLE_WRITE_ERROR);
    assert_string_equal(outcome.text, "hello");
    http_asker_close();
}

/* A body may hold any octets; the name in the URL is not looked up. */
static void a_request_goes_where_it_is_told_with_all_its_body(void **state)
{
    char resolve[80];
    (void)state;
    http_asker_open();
    char *endpoint = http_asker.gateway.endpoint;
    const unsigned port = (unsigned)strtoul(strchr(endpoint, ':') + 1, NULL, 10) & UINT16_MAX;
    snprintf(resolve, sizeof(resolve), "etcd.test:%u:127.0.0.1", port);
    snprintf(endpoint, sizeof(http_asker.gateway.endpoint), "etcd.test:%u", port);
    struct http_outcome outcome = http_asker_ask(
        "/good", (struct http_client_options){.addresses = resolve, .body = "a\0b", .body_len = 3});
    assert_int_equal(outcome.result.code, CURLE_OK);
    assert_non_null(strstr(http_asker.gateway.last_head, "Content-Length: 3\r\n"));
    assert_non_null(strstr(http_asker.gateway.last_head, endpoint));
    http_asker_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_its_time),
        cmocka_unit_test(what_may_be_sent_once_is_sent_once),
        cmocka_unit_test(who_gives_up_hears_no_more),
        cmocka_unit_test(a_request_goes_where_it_is_told_with_all_its_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
