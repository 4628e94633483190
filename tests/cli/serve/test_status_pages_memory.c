/* Without memory for it /metrics is an error of the server's, and a probe is still answered. */
#include "support/allocation.h"
#include "support/http_get.h"

static void metrics_that_cannot_be_made_are_an_error_of_the_server(void **state)
{
    (void)state;
    struct http_service service;
    struct http_get client;
    http_service_init(&service);
    http_service_start(&service);
    allocation_begin_many(0, ALLOCATION_ALL);
    const char *reply = http_fetch(&service, &client, "GET /metrics HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(reply, " 500 Internal Server Error\r\n"));
    assert_non_null(strstr(reply, "\r\n\r\nout of memory\n"));
    reply = http_fetch(&service, &client, "GET /healthz HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(reply, "\r\n\r\nok\n"));
    assert_true(allocation_end());
    reply = http_fetch(&service, &client, "GET /metrics HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(reply, "\nempusa_zone_services 1\n"));
    http_service_stop(&service);
}

static void a_server_that_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    struct http_service service;
    struct detail why = {""};
    http_service_init(&service);
    http_service_set(&service, OPTION_HTTP, "127.0.0.1:0");
    http_service_set(&service, OPTION_HTTP_CONNECTIONS, "8");
    allocation_begin_many(0, ALLOCATION_ALL);
    enum status status = status_http_open(&service.loop, &service.pages, 0, &service.http, &why);
    assert_true(allocation_end());
    assert_int_equal(status, STATUS_NO_MEMORY);
    assert_string_equal(why.text, "out of memory");
    assert_null(service.http);
    http_service_stop(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_that_cannot_be_made_are_an_error_of_the_server),
        cmocka_unit_test(a_server_that_cannot_be_made_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
