/* Requests over HTTP: what comes back, and when they may be cancelled and the client be closed. */
#include "support/http_asker.h"

static void answers_are_told_with_their_status(void **state)
{
    (void)state;
    http_asker_open();
    struct http_outcome outcome = http_asker_ask("/good", (struct http_client_options){0});
    assert_int_equal(outcome.result.code, CURLE_OK);
    assert_int_equal(outcome.result.status, 200);
    assert_int_equal(outcome.status, 200);
    assert_true(outcome.result.was_sent);
    assert_string_equal(outcome.text, "hello");
    assert_non_null(strstr(http_asker.gateway.last_head, "GET /good HTTP/1.1\r\n"));
    outcome =
        http_asker_ask("/missing", (struct http_client_options){.body = "asked", .body_len = 5});
    assert_int_equal(outcome.result.status, 404);
    assert_string_equal(outcome.text, "no such");
    assert_non_null(strstr(http_asker.gateway.last_head, "POST /missing HTTP/1.1\r\n"));
    assert_string_equal(http_asker.gateway.last_body, "asked");
    outcome = http_asker_ask("/chunks", (struct http_client_options){0});
    assert_string_equal(outcome.text, "hello");
    assert_int_equal(http_asker.gateway.connection_count, 1); /* it was kept */
    http_asker_close();
}

static void failures_are_explained(void **state)
{
    static const struct {
        const char *path;
        enum status kind;
        const char *text;
        bool was_sent;
    } cases[] = {
        {"/cut", STATUS_UNREACHABLE, "the reply was cut off", true},
        {"/closed", STATUS_UNREACHABLE, "the connection was closed", true},
        {"/reset", STATUS_UNREACHABLE, "", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        http_asker_open();
        struct http_outcome outcome =
            http_asker_ask(cases[i].path, (struct http_client_options){0});
        assert_int_not_equal(outcome.result.code, CURLE_OK);
        assert_int_equal(outcome.result.kind, cases[i].kind);
        assert_int_equal(outcome.result.was_sent, cases[i].was_sent);
        assert_non_null(strstr(outcome.result.why.text, cases[i].text));
        http_asker_close();
    }
    http_asker_open();
    snprintf(http_asker.gateway.endpoint, sizeof(http_asker.gateway.endpoint), "127.0.0.1:1");
    struct http_outcome outcome = http_asker_ask("/", (struct http_client_options){0});
    assert_int_equal(outcome.result.code, CURLE_COULDNT_CONNECT);
    assert_string_equal(outcome.result.why.text, "connection refused");
    assert_false(outcome.result.was_sent);
    http_asker_close();
}

static void a_cancelled_request_tells_nothing(void **state)
{
    struct http_outcome outcome, other;
    (void)state;
    http_asker_open();
    /* At once: it has gone nowhere. */
    struct http_client_request *request =
        http_asker_begin("/mute", (struct http_client_options){0}, &outcome);
    assert_false(http_client_cancel(request));
    /* Under way. */
    request = http_asker_begin("/mute", (struct http_client_options){0}, &outcome);
    assert_true(
        CLIENT_LOOP_UNTIL(&http_asker.client, http_asker.gateway.used[HTTP_ASKER_MUTE], 5000));
    assert_true(http_client_cancel(request));
    /* From inside another's end. */
    request = http_asker_begin("/mute", (struct http_client_options){0}, &outcome);
    (void)http_asker_begin("/good", (struct http_client_options){0}, &other);
    other.cancels = request;
    assert_true(CLIENT_LOOP_UNTIL(&http_asker.client, other.done, 5000));
    client_loop_run_for(&http_asker.client, 100);
    assert_int_equal(outcome.done, 0);
    /* Those that came after are served. */
    outcome = http_asker_ask("/good", (struct http_client_options){0});
    assert_string_equal(outcome.text, "hello");
    http_asker_close();
}

static void it_may_be_closed_from_inside(void **state)
{
    struct http_outcome outcome, other;
    (void)state;
    http_asker_open();
    (void)http_asker_begin("/mute", (struct http_client_options){0}, &other);
    (void)http_asker_begin("/good", (struct http_client_options){0}, &outcome);
    outcome.closes = true;
    assert_true(CLIENT_LOOP_UNTIL(&http_asker.client, outcome.done, 5000));
    client_loop_run_for(&http_asker.client, 50);
    assert_int_equal(other.done, 0);
    http_asker_close();
}

/* What is urgent has connections of its own. */
static void what_is_urgent_waits_for_no_other(void **state)
{
    enum { COUNT = 70, CONNECTIONS = 64 };
    static struct http_outcome mute[COUNT];
    struct http_client_request *requests[COUNT];
    struct http_outcome first, second, urgent;
    const struct http_client_options usual = {0};
    (void)state;
    http_asker_open();
    for (size_t i = 0; i < COUNT; i++)
        requests[i] = http_asker_begin("/mute", usual, &mute[i]);
    (void)http_asker_begin("/good", usual, &first);
    (void)http_asker_begin("/good", usual, &second);
    (void)http_asker_begin("/good", (struct http_client_options){.is_urgent = true}, &urgent);
    assert_true(CLIENT_LOOP_UNTIL(&http_asker.client, urgent.done, 5000));
    assert_string_equal(urgent.text, "hello");
    assert_true(CLIENT_LOOP_UNTIL(&http_asker.client,
                                  http_asker.gateway.used[HTTP_ASKER_MUTE] == CONNECTIONS, 5000));
    client_loop_run_for(&http_asker.client, 50);
    assert_int_equal(http_asker.gateway.used[HTTP_ASKER_MUTE], CONNECTIONS);
    assert_int_equal(first.done, 0);
    /* One that waits may be cancelled, too. Then there is room, and those that wait get it one after the
     * other. */
    assert_false(http_client_cancel(requests[COUNT - 1]));
    for (size_t i = 0; i < COUNT - CONNECTIONS; i++)
        assert_true(http_client_cancel(requests[i]));
    assert_true(CLIENT_LOOP_UNTIL(&http_asker.client, first.done && second.done, 5000));
    assert_int_equal(http_asker.gateway.used[HTTP_ASKER_MUTE], COUNT - 1);
    http_asker_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_told_with_their_status),
        cmocka_unit_test(failures_are_explained),
        cmocka_unit_test(a_cancelled_request_tells_nothing),
        cmocka_unit_test(it_may_be_closed_from_inside),
        cmocka_unit_test(what_is_urgent_waits_for_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
