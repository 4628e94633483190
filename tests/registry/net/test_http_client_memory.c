/* Requests whose n-th allocation fails, for all n: each ends once, and the next one is none the worse. */
#include "registry/net/http_client.h"
#include "support/allocation.h"
#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static const struct fake_row rows[] = {{"/a", 200, "whole", FAKE_CLOSE, 1},
                                       {"/a", 200, "whole", FAKE_KEEP, 0}};

struct outcome {
    unsigned done;
    CURLcode code;
};

static bool on_data(void *arg, long status, const char *octets, size_t len)
{
    (void)arg, (void)status, (void)octets, (void)len;
    return true;
}

static void on_done(void *arg, const struct http_client_result *result)
{
    struct outcome *outcome = arg;
    outcome->done++;
    outcome->code = result->code;
}

/* False: nothing failed. A connection that is closed at once gives its number to the next. */
static bool ask_without(unsigned left)
{
    struct client_loop client;
    struct fake_gateway gateway;
    struct http_client *http;
    struct tls_files *tls;
    struct outcome outcomes[4] = {{0}};
    char url[80];
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, rows, 2));
    assert_int_equal(tls_files_load(&(struct tls_files_paths){0}, true, &tls, NULL), STATUS_OK);
    assert_int_equal(http_client_open(&client.loop, tls, &http, NULL), STATUS_OK);
    tls_files_free(tls);
    snprintf(url, sizeof(url), "http://%s/a", gateway.endpoint);
    const struct http_client_options options = {.url = url};
    bool has_failed = false;
    for (size_t i = 0; i < 4; i++) {
        if (i == 0)
            allocation_begin(left);
        bool has_begun = http_client_start(http, &options, on_data, on_done, &outcomes[i]);
        assert_true(!has_begun || CLIENT_LOOP_UNTIL(&client, outcomes[i].done, 5000));
        if (i == 0)
            has_failed = allocation_end();
        assert_int_equal(outcomes[i].done, has_begun);
        assert_true(i == 0 || has_begun);
    }
    assert_int_equal(outcomes[3].code, CURLE_OK);
    http_client_close(http);
    fake_gateway_stop(&gateway);
    uv_close((uv_handle_t *)&client.ticker, NULL);
    uv_run(&client.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&client.loop), 0);
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
