/* What etcd reports, and how good what is held is said to be: with a real etcd. */
#include "cli/serve/tree.h"

#include "support/client_loop.h"
#include "support/etcd_server.h"
#include "support/log_lines.h"
#include "support/state_store.h"

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
    struct state_store store;
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

/* `saves`: with a directory of saved trees. */
static int begin_with(bool saves, const char *endpoint)
{
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
    assert_int_equal(
        client_loop_connect(&run.client, endpoint, (struct etcd_options){.timeout_ms = 2000}),
        STATUS_OK);
    if (saves) {
        run.tree.stale_limit_ms = 100000;
        assert_int_equal(tree_open_saved(&run.tree, run.store.dir, &why), STATUS_OK);
    }
    assert_int_equal(tree_start(&run.tree, run.client.etcd, &why), STATUS_OK);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    return begin_with(false, run.server.endpoint);
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

/* One after the other, as processes; what each leaves behind the next one finds. */
static void what_was_saved_is_stale_until_etcd_is_there(void **state)
{
    (void)state;
    state_store_begin(&run.store);
    begin_with(true, run.server.endpoint);
    assert_string_equal(run.states, ""); /* there was nothing */
    assert_true(CLIENT_LOOP_UNTIL(&run.client, run.tree.state == ANSWER_FRESH, PATIENCE_MS));
    end(NULL);
    begin_with(true, "127.0.0.1:1");
    assert_string_equal(run.states, "stale ");
    assert_int_equal(run.readies, 1);
    assert_int_equal(services(), 1);
    assert_true(CLIENT_LOOP_UNTIL(&run.client, run.tree.is_lost, PATIENCE_MS));
    assert_non_null(strstr(log_lines_take(&run.lines), "(answering what is known)"));
    end(NULL);
    assert_true(etcd_server_put(&run.server, "/foo/service/web/b", "10.0.0.2:80"));
    begin_with(true, run.server.endpoint);
    assert_int_equal(services(), 1);
    assert_true(CLIENT_LOOP_UNTIL(&run.client, run.tree.state == ANSWER_FRESH, PATIENCE_MS));
    assert_string_equal(run.states, "stale fresh ");
    assert_int_equal(services(), 2);
    assert_int_equal(run.readies, 1);
    assert_true(etcd_server_delete(&run.server, "/foo/service/web/b"));
    assert_true(CLIENT_LOOP_UNTIL(&run.client, services() == 1, PATIENCE_MS));
    end(NULL);
    state_store_end(&run.store);
}

static void what_is_older_than_the_limit_is_expired_and_not_ready(void **state)
{
    (void)state;
    struct state_model model = {.mark = state_store_mark(9)}; /* of 2023 */
    state_store_begin(&run.store);
    state_store_write_root(&run.store, "/foo/", &model);
    begin_with(true, "127.0.0.1:1");
    assert_string_equal(run.states, "expired ");
    assert_int_equal(run.readies, 0);
    assert_true(CLIENT_LOOP_UNTIL(&run.client, run.tree.is_lost, PATIENCE_MS));
    assert_non_null(strstr(log_lines_take(&run.lines), "queries fail until it is there"));
    end(NULL);
    begin_with(true, run.server.endpoint);
    assert_true(CLIENT_LOOP_UNTIL(&run.client, run.tree.state == ANSWER_FRESH, PATIENCE_MS));
    assert_string_equal(run.states, "expired fresh ");
    assert_int_equal(run.readies, 1);
    end(NULL);
    state_store_end(&run.store);
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
        cmocka_unit_test(what_was_saved_is_stale_until_etcd_is_there),
        cmocka_unit_test(what_is_older_than_the_limit_is_expired_and_not_ready),
    };
    return cmocka_run_group_tests(tests, start_etcd, stop_etcd);
}
