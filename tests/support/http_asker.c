#include "http_asker.h"

struct http_asker http_asker;

static const struct fake_row rows[] = {
    {"/good", 200, "hello", FAKE_KEEP, 0},
    {"/missing", 404, "no such", FAKE_KEEP, 0},
    {"/chunks", 200, "hello", FAKE_EOF, 0},
    {"/cut", 200, "hello", FAKE_CUT, 0},
    [HTTP_ASKER_CLOSED] = {"/closed", 200, NULL, FAKE_CLOSE, 0},
    {"/reset", 200, NULL, FAKE_RESET, 0},
    [HTTP_ASKER_MUTE] = {"/mute", 200, NULL, FAKE_MUTE, 0},
    {"/stream", 200, "hello", FAKE_CHUNK, 0},
};

static bool http_asker_on_data(void *arg, long status, const char *octets, size_t len)
{
    struct http_outcome *outcome = arg;
    size_t at = strlen(outcome->text);
    snprintf(outcome->text + at, sizeof(outcome->text) - at, "%.*s", (int)len, octets);
    outcome->status = status;
    return !outcome->gives_up;
}

static void http_asker_on_done(void *arg, const struct http_client_result *result)
{
    struct http_outcome *outcome = arg;
    outcome->done++;
    outcome->result = *result;
    if (outcome->cancels)
        (void)http_client_cancel(outcome->cancels);
    if (outcome->closes) {
        http_client_close(http_asker.http);
        http_asker.http = NULL;
    }
}

void http_asker_open(void)
{
    struct tls_files *tls;
    client_loop_open(&http_asker.client);
    uv_loop_t *loop = &http_asker.client.loop;
    assert_true(
        fake_gateway_start(&http_asker.gateway, loop, rows, sizeof(rows) / sizeof(rows[0])));
    assert_int_equal(tls_files_load(&(struct tls_files_paths){0}, true, &tls, NULL), STATUS_OK);
    assert_int_equal(http_client_open(loop, tls, &http_asker.http, NULL), STATUS_OK);
    tls_files_free(tls);
}

void http_asker_close(void)
{
    if (http_asker.http)
        http_client_close(http_asker.http);
    fake_gateway_stop(&http_asker.gateway);
    uv_close((uv_handle_t *)&http_asker.client.ticker, NULL);
    uv_run(&http_asker.client.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&http_asker.client.loop), 0);
}

struct http_client_request *http_asker_begin(const char *path, struct http_client_options options,
                                             struct http_outcome *outcome)
{
    char url[80];
    snprintf(url, sizeof(url), "http://%s%s", http_asker.gateway.endpoint, path);
    memset(outcome, 0, sizeof(*outcome));
    options.url = url;
    return http_client_start(http_asker.http, &options, http_asker_on_data, http_asker_on_done,
                             outcome);
}

struct http_outcome http_asker_ask(const char *path, struct http_client_options options)
{
    struct http_outcome outcome;
    assert_non_null(http_asker_begin(path, options, &outcome));
    assert_true(CLIENT_LOOP_UNTIL(&http_asker.client, outcome.done, 5000));
    assert_int_equal(outcome.done, 1);
    return outcome;
}
