#include "support/cli_run.h"

#define WEB "--service-type web --service-name a"
#define KEY "/foo/service/web/a"

static struct cli_run run;

static int set_up(void **state)
{
    (void)state;
    cli_run_open(&run);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cli_run_close(&run);
    return 0;
}

static void a_drained_service_says_so_and_keeps_the_rest(void **state)
{
    (void)state;
    fake_store_add_lease(&run.store, 5, 60, 30);
    fake_store_put(&run.store, KEY, "h:1", 5);
    cli_run_expect(&run, "service drain " WEB, 0, "", "INFO:root:service a (web) is draining\n");
    assert_string_equal(cli_run_value(&run, KEY), "{\"location\":\"h:1\",\"state\":\"draining\"}");
    assert_int_equal(fake_store_find(&run.store, KEY)->lease, 5);
    cli_run_expect(&run, "service drain " WEB, 0, "",
                   "INFO:root:service a (web) is draining already\n");
    cli_run_expect(&run, "service undrain " WEB, 0, "", "INFO:root:service a (web) is up again\n");
    assert_string_equal(cli_run_value(&run, KEY), "h:1");
    cli_run_expect(&run, "service undrain " WEB, 0, "",
                   "INFO:root:service a (web) is up already\n");
    assert_int_equal(fake_store_find(&run.store, KEY)->lease, 5);
}

static void an_unregistered_service_is_gone(void **state)
{
    (void)state;
    fake_store_put(&run.store, KEY, "h:1", 0);
    fake_store_put(&run.store, KEY "b", "h:2", 0);
    cli_run_expect(&run, "service unregister " WEB, 0, "",
                   "INFO:root:service a (web) unregistered\n");
    assert_null(fake_store_find(&run.store, KEY));
    assert_string_equal(cli_run_value(&run, KEY "b"), "h:2");
    cli_run_expect(&run, "service unregister " WEB, 0, "",
                   "INFO:root:service a (web) already unregistered\n");
}

static void what_is_not_registered_cannot_be_drained(void **state)
{
    (void)state;
    cli_run_expect(&run, "service drain " WEB, 1, "",
                   "ERROR:root:service a (web) is not registered\n");
    fake_store_put(&run.store, KEY, "nonsense", 0);
    assert_int_equal(cli_run(&run, "service drain " WEB), 1);
    assert_non_null(strstr(run.err, "ERROR:root:service a (web) has a value that cannot be "
                                    "changed"));
    assert_string_equal(cli_run_value(&run, KEY), "nonsense");
}

/* Before each attempt to change it another process registers the service anew. */
static void decide_race(void *arg, const char *path, const char *body, struct fake_row *row)
{
    if (strcmp(path, "/v3/kv/txn") == 0 && strstr(body, "request_put"))
        fake_store_put(&run.store, KEY, "h:1", 0);
    fake_store_decide(arg, path, body, row);
}

static void what_others_change_all_the_time_is_left_to_them(void **state)
{
    (void)state;
    fake_store_put(&run.store, KEY, "h:1", 0);
    run.store.gateway.decide = decide_race;
    cli_run_expect(&run, "service drain " WEB, 1, "",
                   "ERROR:root:service a (web) is changed by others all the time (try again)\n");
    assert_string_equal(cli_run_value(&run, KEY), "h:1");
}

static void what_is_wrong_and_an_etcd_that_is_away_are_said(void **state)
{
    (void)state;
    assert_int_equal(cli_run(&run, "service drain --service-type a/b --service-name c"), 2);
    assert_non_null(strstr(run.err, "ERROR:root:--service-type \"a/b\": "));
    assert_int_equal(cli_run(&run, "service drain " WEB " --etcd-endpoint 127.0.0.1:1"), 1);
    assert_non_null(strstr(run.err, "127.0.0.1:1: connection refused (is etcd running there? See "
                                    "--etcd-endpoint)\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_drained_service_says_so_and_keeps_the_rest),
        TEST(an_unregistered_service_is_gone),
        TEST(what_is_not_registered_cannot_be_drained),
        TEST(what_others_change_all_the_time_is_left_to_them),
        TEST(what_is_wrong_and_an_etcd_that_is_away_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
