#include "support/cli_run.h"

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

static void what_is_set_is_got_and_removed(void **state)
{
    (void)state;
    cli_run_expect(&run, "switch set a/b on", 0, "", "INFO:root:switch a/b set to on\n");
    assert_string_equal(cli_run_value(&run, "/foo/switch/a/b"), "on");
    assert_int_equal(run.store.grants, 0);
    cli_run_expect(&run, "switch get a/b", 0, "on\n", "");
    cli_run_expect(&run, "switch remove a/b", 0, "", "INFO:root:switch a/b removed\n");
    cli_run_expect(&run, "switch remove a/b", 0, "", "INFO:root:switch a/b already removed\n");
    cli_run_expect(&run, "switch get a/b", 1, "", "No such switch \"a/b\"\n");
    cli_run_expect(&run, "switch set a -- -1", 0, "", "INFO:root:switch a set to -1\n");
    assert_string_equal(cli_run_value(&run, "/foo/switch/a"), "-1");
}

static void with_a_ttl_it_is_under_a_lease_of_it(void **state)
{
    (void)state;
    cli_run_expect(&run, "switch set a on --ttl 30", 0, "", "INFO:root:switch a set to on\n");
    assert_int_equal(run.store.grants, 1);
    assert_int_equal(run.store.leases[0].ttl_s, 30);
    assert_int_equal(fake_store_find(&run.store, "/foo/switch/a")->lease, run.store.leases[0].id);
}

static void a_toggle_turns_over_what_is_on_or_off(void **state)
{
    (void)state;
    fake_store_put(&run.store, "/foo/switch/a", " Enabled ", 0);
    cli_run_expect(&run, "switch toggle a", 0, "", "INFO:root:switch a set to no\n");
    assert_string_equal(cli_run_value(&run, "/foo/switch/a"), "no");
    cli_run_expect(&run, "switch toggle a", 0, "", "INFO:root:switch a set to yes\n");
    cli_run_expect(&run, "switch toggle b", 1, "", "ERROR:root:switch b not set\n");
    fake_store_put(&run.store, "/foo/switch/a", "7", 0);
    cli_run_expect(&run, "switch toggle a", 1, "",
                   "ERROR:root:switch a does not have boolean value\n");
    assert_string_equal(cli_run_value(&run, "/foo/switch/a"), "7");
}

static void cas_changes_only_what_is_expected_or_not_there(void **state)
{
    (void)state;
    cli_run_expect(&run, "switch cas a one zero", 0, "", "INFO:root:New switch a set to one\n");
    cli_run_expect(&run, "switch cas a two one", 0, "", "INFO:root:Existing switch a set to two\n");
    cli_run_expect(&run, "switch cas a three one", 1, "",
                   "ERROR:root:switch a has another value: not changed\n");
    assert_string_equal(cli_run_value(&run, "/foo/switch/a"), "two");
}

/* Before each attempt to change it another process sets the switch. */
static void decide_race(void *arg, const char *path, const char *body, struct fake_row *row)
{
    if (strcmp(path, "/v3/kv/txn") == 0 && strstr(body, "request_put"))
        fake_store_put(&run.store, "/foo/switch/a", "yes", 0);
    fake_store_decide(arg, path, body, row);
}

static void of_two_that_toggle_the_slower_one_says_so(void **state)
{
    (void)state;
    fake_store_put(&run.store, "/foo/switch/a", "no", 0);
    run.store.gateway.decide = decide_race;
    cli_run_expect(&run, "switch toggle a", 0, "", "WARNING:root:switch a already toggled\n");
    assert_string_equal(cli_run_value(&run, "/foo/switch/a"), "yes");
}

static void what_is_wrong_is_refused_before_anything_is_written(void **state)
{
    (void)state;
    cli_run_expect(&run, "switch set /a on", 2, "",
                   "ERROR:root:switch \"/a\": a part between two '/' is empty\n");
    assert_int_equal(cli_run(&run, "switch set a on --etcd-endpoint 127.0.0.1:1"), 1);
    assert_non_null(strstr(run.err, "127.0.0.1:1: connection refused"));
    assert_non_null(strstr(run.err, " (is etcd running there? See --etcd-endpoint)\n"));
    assert_int_equal(run.store.txns + run.store.ranges, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_set_is_got_and_removed),
        TEST(with_a_ttl_it_is_under_a_lease_of_it),
        TEST(a_toggle_turns_over_what_is_on_or_off),
        TEST(cas_changes_only_what_is_expected_or_not_there),
        TEST(of_two_that_toggle_the_slower_one_says_so),
        TEST(what_is_wrong_is_refused_before_anything_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
