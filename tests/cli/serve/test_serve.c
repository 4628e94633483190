/* The composition, without an etcd: what holds from the start on, and how it ends. The rest is
 * tests/end's. */
#include "support/http_get.h"
#include "support/in_child.h"
#include "support/log_lines.h"

#include "cli/serve/serve.h"

#include <signal.h>

static struct {
    struct call call;
    struct log_lines lines;
    unsigned steps;
    int signal; /* of the third step; 0: it is the last one */
    bool has_served;
} run;

static void set(enum option_id id, const char *text)
{
    CHILD_EXPECT(options_set(&run.call.options, id, text, NULL) == STATUS_OK);
}

static void begin(void)
{
    struct detail why;
    log_lines_init(&run.lines);
    run.call.log = run.lines.log;
    set(OPTION_ETCD_ENDPOINT, "127.0.0.1:1");
    set(OPTION_TREE_ROOT, "/test");
    set(OPTION_LISTEN, "127.0.0.1:0");
    set(OPTION_HTTP, "127.0.0.1:0");
    set(OPTION_WORKERS, "1");
    set(OPTION_NO_RESOLVE_HOSTS, NULL);
    clearenv();
    for (int id = 0; id < OPTION_COUNT; id++) {
        struct options *options = &run.call.options;
        CHILD_EXPECT(options_complete(options, (enum option_id)id, NULL, &why) == STATUS_OK);
    }
}

/* A page, asked for on this thread: it is made on another. */
static const char *page(const char *path)
{
    static struct http_get client;
    char request[64];
    const char *url = strstr(run.lines.text, "http://127.0.0.1:");
    CHILD_EXPECT(url);
    http_get_open(&client, (uint16_t)strtoul(url + strlen("http://127.0.0.1:"), NULL, 10));
    snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
    http_get_send_text(&client, request);
    for (int i = 0; i < 5000 && !http_get_ended(&client); i++)
        usleep(1000);
    http_get_close(&client);
    return client.reply;
}

static void ready(void *arg, const char *addresses, const char *domain)
{
    (void)arg, (void)addresses, (void)domain;
    run.has_served = true;
}

static bool step(void *arg)
{
    (void)arg;
    run.lines.text[run.lines.len] = '\0';
    if (++run.steps == 1) {
        CHILD_EXPECT(strstr(page("/healthz"), " 200 OK\r\n"));
        CHILD_EXPECT(strstr(page("/readyz"), " 503 "));
        CHILD_EXPECT(strstr(page("/metrics"), "\nempusa_zone_state{state=\"not_ready\"} 1\n"));
        raise(SIGUSR1);
    } else if (run.steps == 3) {
        if (run.signal == 0)
            return false;
        raise(run.signal);
    }
    return true;
}

static void check_step(void)
{
    const struct serve_hooks hooks = {.ready = ready, .step = step};
    begin();
    CHILD_EXPECT(serve_run(&run.call, OPTION_LISTEN, &hooks) == 1);
    run.lines.text[run.lines.len] = '\0';
    CHILD_EXPECT(run.steps == 3 && !run.has_served);
    CHILD_EXPECT(strstr(run.lines.text, "INFO:status pages on http://127.0.0.1:"));
    CHILD_EXPECT(strstr(run.lines.text, "WARNING:no contact with etcd, trying again: "));
    CHILD_EXPECT(strstr(run.lines.text, "(queries fail until it is there)"));
    CHILD_EXPECT(strstr(run.lines.text, "INFO:empusa.internal is not ready: 0 services "));
    options_clear(&run.call.options);
}

static void without_etcd_it_runs_unready_until_a_step_ends_it(void **state)
{
    (void)state;
    assert_true(in_child(check_step));
}

static void check_signal(void)
{
    const struct serve_hooks hooks = {.ready = ready, .step = step, .hangup = SERVE_HANGUP_ENDS};
    begin();
    run.signal = SIGHUP;
    CHILD_EXPECT(serve_run(&run.call, OPTION_LISTEN, &hooks) == 0);
    CHILD_EXPECT(run.steps == 3 && !run.has_served);
    options_clear(&run.call.options);
}

static void a_signal_ends_it_in_order(void **state)
{
    (void)state;
    assert_true(in_child(check_signal));
}

static void check_fault(void)
{
    begin();
    set(OPTION_HTTP, "127.0.0.1");
    CHILD_EXPECT(serve_command(&run.call) == 2);
    run.lines.text[run.lines.len] = '\0';
    CHILD_EXPECT(strcmp(run.lines.text,
                        "ERROR:--http \"127.0.0.1\": not an address with a port: IPV4:PORT or "
                        "[IPV6]:PORT\n") == 0);
    options_clear(&run.call.options);
}

static void what_is_wrong_is_said_before_it_serves(void **state)
{
    (void)state;
    assert_true(in_child(check_fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_etcd_it_runs_unready_until_a_step_ends_it),
        cmocka_unit_test(a_signal_ends_it_in_order),
        cmocka_unit_test(what_is_wrong_is_said_before_it_serves),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
