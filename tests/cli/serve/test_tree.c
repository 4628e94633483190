/* What etcd reports, and how good what is held is said to be: with a real etcd. */
#include "cli/serve/tree.h"

#include "support/client_loop.h"
#include "support/etcd_server.h"
#include "support/log_lines.h"

#include "cli/serve/xfr_child.h"
#include "zones/zone.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PATIENCE_MS 15000

static struct {
    struct etcd_server server;
    struct client_loop client;
    struct log_lines lines;
    struct key_root root;
    struct tree tree;
    char states[128];
    unsigned readies;
} run;

static void on_state(void *arg, enum answer_state state)
{
    static const char *const names[] = {[ANSWER_NOT_READY] = "not-ready ",
                                        [ANSWER_FRESH] = "fresh ",
                                        [ANSWER_STALE] = "stale ",
                                        [ANSWER_EXPIRED] = "expired "};
    (void)arg;
    strncat(run.states, names[state], sizeof(run.states) - strlen(run.states) - 1);
}

static void on_ready(void *arg)
{
    (void)arg;
    run.readies++;
}

static uint64_t services(void)
{
    struct zone_counts counts;
    zone_counts(run.tree.zone, &counts);
    return counts.services;
}

static int begin(void **state)
{
    (void)state;
    struct zone_options zone = {
        .domain = "test", .record_ttl_s = 10, .negative_ttl_s = 5, .has_switches = true};
    struct detail why;
    memset(&run.tree, 0, sizeof(run.tree));
    run.states[0] = '\0';
    run.readies = 0;
    log_lines_init(&run.lines);
    client_loop_open(&run.client);
    assert_int_equal(key_root_parse("/foo", &run.root, &why), STATUS_OK);
    run.tree = (struct tree){.log = &run.lines.log,
                             .root = &run.root,
                             .stale_limit_ms = 300,
                             .on_state = on_state,
                             .on_ready = on_ready};
    tree_init(&run.tree, &run.client.loop);
    assert_int_equal(zone_new(&zone, &run.tree.zone, &why), STATUS_OK);
    assert_int_equal(
        xfr_child_start(&run.client.loop, run.tree.zone, &run.lines.log, &run.tree.transfers),
        STATUS_OK);
    assert_int_equal(client_loop_connect(&run.client, run.server.endpoint,
                                         (struct etcd_options){.timeout_ms = 2000}),
                     STATUS_OK);
    assert_int_equal(tree_start(&run.tree, run.client.etcd, &why), STATUS_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    tree_stop(&run.tree);
    xfr_child_stop(run.tree.transfers);
    zone_free(run.tree.zone);
    client_loop_close_client(&run.client);
    return client_loop_close(&run.client);
}

static void each_change_of_etcd_is_one_of_the_zone(void **state)
{
    (void)state;
    const struct etcd_server *server = &run.server;
    assert_true(CLIENT_LOOP_UNTIL(&run.client, run.tree.state == ANSWER_FRESH, PATIENCE_MS));
    assert_int_equal(services(), 1);
    assert_true(etcd_server_put(server, "/foo/service/web/b", "10.0.0.2:80"));
    assert_true(etcd_server_put(server, "/foobar/service/web/c", "10.0.0.3:80"));
    assert_true(CLIENT_LOOP_UNTIL(&run.client, services() == 2, PATIENCE_MS));
    assert_true(etcd_server_delete(server, "/foo/service/web/b"));
    assert_true(CLIENT_LOOP_UNTIL(&run.client, services() == 1, PATIENCE_MS));
    assert_string_equal(run.states, "fresh ");
    assert_int_equal(run.readies, 1);
}

static void without_etcd_it_is_stale_then_expired_and_fresh_again_with_it(void **state)
{
    (void)state;
    assert_true(CLIENT_LOOP_UNTIL(&run.client, run.tree.state == ANSWER_FRESH, PATIENCE_MS));
    etcd_server_kill(&run.server, SIGKILL);
    assert_true(CLIENT_LOOP_UNTIL(&run.client, run.tree.state == ANSWER_EXPIRED, PATIENCE_MS));
    assert_string_equal(run.states, "fresh stale expired ");
    assert_int_equal(services(), 1);
    assert_true(etcd_server_launch(&run.server) && etcd_server_wait(&run.server));
    assert_true(CLIENT_LOOP_UNTIL(&run.client, run.tree.state == ANSWER_FRESH, PATIENCE_MS));
    assert_string_equal(run.states, "fresh stale expired fresh ");
    assert_int_equal(run.readies, 1);
    const char *said = log_lines_take(&run.lines);
    assert_non_null(strstr(said, "WARNING:no contact with etcd, trying again: "));
    assert_non_null(strstr(said, "(answering what is known)"));
    assert_non_null(strstr(said, "WARNING:etcd has been away for --stale-limit"));
    assert_non_null(strstr(said, "INFO:contact with etcd again after "));
}

static int start_etcd(void **state)
{
    (void)state;
    return etcd_server_start(&run.server, 1, NULL) &&
                   etcd_server_put(&run.server, "/foo/service/web/a", "10.0.0.1:80")
               ? 0
               : -1;
}

static int stop_etcd(void **state)
{
    (void)state;
    etcd_server_stop(&run.server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_change_of_etcd_is_one_of_the_zone, begin, end),
        cmocka_unit_test_setup_teardown(
            without_etcd_it_is_stale_then_expired_and_fresh_again_with_it, begin, end),
    };
    return cmocka_run_group_tests(tests, start_etcd, stop_etcd);
}
