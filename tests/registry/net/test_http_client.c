/* Requests over HTTP: what comes back, when they may be cancelled, and that a write goes once. */
#include "http_client.h"

#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static struct client_loop client;
static struct fake_gateway gateway;
static struct http_client *http;

struct outcome {
    unsigned done;
    struct http_client_result result;
    char text[256];
    long status; /* as the pieces had it */
    bool gives_up;
    bool closes; /* the client, from inside */
    struct http_client_request *cancels;
};

static bool on_data(void *arg, long status, const char *octets, size_t len)
{
    struct outcome *outcome = arg;
    size_t at = strlen(outcome->text);
    snprintf(outcome->text + at, sizeof(outcome->text) - at, "%.*s", (int)len, octets);
    outcome->status = status;
    return !outcome->gives_up;
}

static void on_done(void *arg, const struct http_client_result *result)
{
    struct outcome *outcome = arg;
    outcome->done++;
    outcome->result = *result;
    if (outcome->cancels)
        (void)http_client_cancel(outcome->cancels);
    if (outcome->closes)
        http_client_close(http);
    if (outcome->closes)
        http = NULL;
}

static void open_client(const struct fake_row *rows, size_t count)
{
    struct tls_files *tls;
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, rows, count));
    assert_int_equal(tls_files_load(&(struct tls_files_paths){0}, true, &tls, NULL), STATUS_OK);
    assert_int_equal(http_client_open(&client.loop, tls, &http, NULL), STATUS_OK);
    tls_files_free(tls);
}

static void close_client(void)
{
    if (http)
        http_client_close(http);
    fake_gateway_stop(&gateway);
    uv_close((uv_handle_t *)&client.ticker, NULL);
    uv_run(&client.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&client.loop), 0);
}

static struct http_client_request *begin(const char *path, struct http_client_options options,
                                         struct outcome *outcome)
{
    char url[80];
    snprintf(url, sizeof(url), "http://%s%s", gateway.endpoint, path);
    memset(outcome, 0, sizeof(*outcome));
    options.url = url;
    struct http_client_request *request =
        http_client_start(http, &options, on_data, on_done, outcome);
    assert_non_null(request);
    return request;
}

static struct outcome ask(const char *path, struct http_client_options options)
{
    struct outcome outcome;
    (void)begin(path, options, &outcome);
    assert_true(CLIENT_LOOP_UNTIL(&client, outcome.done, 5000));
    assert_int_equal(outcome.done, 1);
    return outcome;
}

static const struct fake_row rows[] = {
    {"/good", 200, "hello", FAKE_KEEP, 0},  {"/missing", 404, "no such", FAKE_KEEP, 0},
    {"/chunks", 200, "hello", FAKE_EOF, 0}, {"/cut", 200, "hello", FAKE_CUT, 0},
    {"/closed", 200, NULL, FAKE_CLOSE, 0},  {"/reset", 200, NULL, FAKE_RESET, 0},
    {"/mute", 200, NULL, FAKE_MUTE, 0},     {"/stream", 200, "hello", FAKE_CHUNK, 0},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void answers_are_told_with_their_status(void **state)
{
    (void)state;
    open_client(rows, ROWS);
    struct outcome outcome = ask("/good", (struct http_client_options){0});
    assert_int_equal(outcome.result.code, CURLE_OK);
    assert_int_equal(outcome.result.status, 200);
    assert_int_equal(outcome.status, 200);
    assert_true(outcome.result.was_sent);
    assert_string_equal(outcome.text, "hello");
    assert_non_null(strstr(gateway.last_head, "GET /good HTTP/1.1\r\n"));
    outcome = ask("/missing", (struct http_client_options){.body = "asked", .body_len = 5});
    assert_int_equal(outcome.result.status, 404);
    assert_string_equal(outcome.text, "no such");
    assert_non_null(strstr(gateway.last_head, "POST /missing HTTP/1.1\r\n"));
    assert_string_equal(gateway.last_body, "asked");
    outcome = ask("/chunks", (struct http_client_options){0});
    assert_string_equal(outcome.text, "hello");
    assert_int_equal(gateway.connection_count, 1); /* it was kept */
    close_client();
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
        open_client(rows, ROWS);
        struct outcome outcome = ask(cases[i].path, (struct http_client_options){0});
        assert_int_not_equal(outcome.result.code, CURLE_OK);
        assert_int_equal(outcome.result.kind, cases[i].kind);
        assert_int_equal(outcome.result.was_sent, cases[i].was_sent);
        assert_non_null(strstr(outcome.result.why.text, cases[i].text));
        close_client();
    }
    open_client(rows, ROWS);
    snprintf(gateway.endpoint, sizeof(gateway.endpoint), "127.0.0.1:1");
    struct outcome outcome = ask("/", (struct http_client_options){0});
    assert_int_equal(outcome.result.code, CURLE_COULDNT_CONNECT);
    assert_string_equal(outcome.result.why.text, "connection refused");
    assert_false(outcome.result.was_sent);
    close_client();
}

static void a_request_has_its_time(void **state)
{
    (void)state;
    open_client(rows, ROWS);
    uint64_t began_ns = uv_hrtime();
    struct outcome outcome = ask("/mute", (struct http_client_options){.timeout_ms = 200});
    assert_int_equal(outcome.result.code, CURLE_OPERATION_TIMEDOUT);
    assert_in_range((uv_hrtime() - began_ns) / 1000000, 150, 5000);
    assert_true(outcome.result.was_sent);
    close_client();
}

/* libcurl would send once more what a kept connection did not take. */
static void what_may_be_sent_once_is_sent_once(void **state)
{
    (void)state;
    for (unsigned is_once = 0; is_once < 2; is_once++) {
        open_client(rows, ROWS);
        (void)ask("/good", (struct http_client_options){0});
        struct outcome outcome =
            ask("/closed",
                (struct http_client_options){.body = "w", .body_len = 1, .is_once = is_once});
        assert_int_not_equal(outcome.result.code, CURLE_OK);
        assert_true(outcome.result.was_sent);
        assert_int_equal(gateway.used[4], is_once ? 1 : 2);
        close_client();
    }
}

static void who_gives_up_hears_no_more(void **state)
{
    struct outcome outcome;
    (void)state;
    open_client(rows, ROWS);
    (void)begin("/stream", (struct http_client_options){0}, &outcome);
    outcome.gives_up = true;
    assert_true(CLIENT_LOOP_UNTIL(&client, outcome.done, 5000));
    assert_int_equal(outcome.result.code, CURLE_WRITE_ERROR);
    assert_string_equal(outcome.text, "hello");
    close_client();
}

static void a_cancelled_request_tells_nothing(void **state)
{
    struct outcome outcome, other;
    (void)state;
    open_client(rows, ROWS);
    /* At once: it has gone nowhere. */
    struct http_client_request *request = begin("/mute", (struct http_client_options){0}, &outcome);
    assert_false(http_client_cancel(request));
    /* Under way. */
    request = begin("/mute", (struct http_client_options){0}, &outcome);
    assert_true(CLIENT_LOOP_UNTIL(&client, gateway.used[6], 5000));
    assert_true(http_client_cancel(request));
    /* From inside another's end. */
    request = begin("/mute", (struct http_client_options){0}, &outcome);
    (void)begin("/good", (struct http_client_options){0}, &other);
    other.cancels = request;
    assert_true(CLIENT_LOOP_UNTIL(&client, other.done, 5000));
    client_loop_run_for(&client, 100);
    assert_int_equal(outcome.done, 0);
    /* Those that came after are served. */
    outcome = ask("/good", (struct http_client_options){0});
    assert_string_equal(outcome.text, "hello");
    close_client();
}

static void it_may_be_closed_from_inside(void **state)
{
    struct outcome outcome, other;
    (void)state;
    open_client(rows, ROWS);
    (void)begin("/mute", (struct http_client_options){0}, &other);
    (void)begin("/good", (struct http_client_options){0}, &outcome);
    outcome.closes = true;
    assert_true(CLIENT_LOOP_UNTIL(&client, outcome.done, 5000));
    client_loop_run_for(&client, 50);
    assert_int_equal(other.done, 0);
    close_client();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_told_with_their_status),
        cmocka_unit_test(failures_are_explained),
        cmocka_unit_test(a_request_has_its_time),
        cmocka_unit_test(what_may_be_sent_once_is_sent_once),
        cmocka_unit_test(who_gives_up_hears_no_more),
        cmocka_unit_test(a_cancelled_request_tells_nothing),
        cmocka_unit_test(it_may_be_closed_from_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
