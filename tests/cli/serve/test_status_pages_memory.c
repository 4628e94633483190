/* Pages with the n-th allocation failing, for all n: whole, or an error of the server's, or none. */
#include "support/allocation.h"
#include "support/http_get.h"

static struct http_service service;

/* The reply to a request for which the n-th allocation fails; *has_failed: whether there was one. */
static const char *fetch_without(unsigned left, const char *request, bool *has_failed)
{
    static struct http_get client;
    allocation_begin(left);
    const char *reply = http_fetch(&service, &client, request);
    *has_failed = allocation_end();
    return reply;
}

static void metrics_are_whole_or_an_error(void **state)
{
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    bool has_failed = true;
    unsigned errors = 0, closed = 0;
    (void)state;
    http_service_init(&service);
    http_service_start(&service);
    for (unsigned n = 0; has_failed; n++) {
        const char *reply = fetch_without(n, request, &has_failed);
        bool is_whole = strstr(reply, " 200 OK\r\n") && strstr(reply, "empusa_build_info{");
        bool is_error = strstr(reply, " 500 Internal Server Error\r\n") &&
                        strstr(reply, "\r\n\r\nout of memory\n");
        assert_true(is_whole || (has_failed && (is_error || !reply[0])));
        errors += is_error;
        closed += !reply[0];
    }
    assert_true(errors > 0 && closed > 0);
    http_service_stop(&service);
}

static void probes_and_refusals_are_whole_or_none(void **state)
{
    static const struct {
        const char *request, *reply;
    } rows[] = {{"GET /healthz HTTP/1.0\r\n\r\n", "\r\n\r\nok\n"},
                {"POST /readyz HTTP/1.0\r\n\r\n", "\r\nAllow: GET, HEAD\r\n"}};
    (void)state;
    http_service_init(&service);
    http_service_start(&service);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool has_failed = true;
        unsigned n = 0;
        for (; has_failed; n++) {
            const char *reply = fetch_without(n, rows[i].request, &has_failed);
            assert_true(strstr(reply, rows[i].reply) || (has_failed && !reply[0]));
        }
        assert_true(n > 3);
    }
    http_service_stop(&service);
}

/* All fail: a probe may go without an answer, but neither ends the thread that gives them. */
static void pages_come_back_with_memory(void **state)
{
    struct http_get client;
    (void)state;
    http_service_init(&service);
    http_service_start(&service);
    allocation_begin_many(0, ALLOCATION_ALL);
    for (unsigned i = 0; i < 5; i++)
        assert_string_equal(http_fetch(&service, &client, "GET /metrics HTTP/1.0\r\n\r\n"), "");
    assert_true(allocation_end());
    const char *reply = http_fetch(&service, &client, "GET /metrics HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(reply, "\nempusa_zone_services 1\n"));
    http_service_stop(&service);
}

static void a_server_that_cannot_be_made_leaves_nothing(void **state)
{
    bool has_failed = true;
    unsigned n = 0;
    (void)state;
    for (; has_failed; n++) {
        struct detail why = {""};
        http_service_init(&service);
        http_service_set(&service, OPTION_HTTP, "127.0.0.1:0");
        http_service_set(&service, OPTION_HTTP_CONNECTIONS, "8");
        allocation_begin(n);
        enum status status =
            status_http_open(&service.loop, &service.pages, 0, &service.http, &why);
        bool is_open = status == STATUS_OK;
        if (is_open)
            status = status_http_start(service.http, &why);
        has_failed = allocation_end();
        assert_int_equal(is_open, service.http != NULL);
        if (has_failed)
            assert_true(why.text[0] && status == (is_open ? STATUS_SYSTEM : STATUS_NO_MEMORY));
        else
            assert_int_equal(status, STATUS_OK);
        http_service_stop(&service);
    }
    assert_int_equal(n, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_whole_or_an_error),
        cmocka_unit_test(probes_and_refusals_are_whole_or_none),
        cmocka_unit_test(pages_come_back_with_memory),
        cmocka_unit_test(a_server_that_cannot_be_made_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
