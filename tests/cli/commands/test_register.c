#include "support/cli_run.h"

#include <signal.h>
#include <unistd.h>

#define WEB "--service-type web --service-name a"
#define KEY "/foo/service/web/a"

static struct cli_run run;
static unsigned signals; /* how many were sent */

static int set_up(void **state)
{
    (void)state;
    signals = 0;
    cli_run_open(&run);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cli_run_close(&run);
    return 0;
}

static void once_it_is_registered_it_ends(void **state)
{
    (void)state;
    cli_run_expect(&run, "service register " WEB " --service-location h:1", 0, "",
                   "INFO:root:service a (web) registered\n");
    assert_string_equal(cli_run_value(&run, KEY), "h:1");
    assert_int_equal(fake_store_find(&run.store, KEY)->lease, 0);
    cli_run_expect(&run,
                   "service register " WEB " --service-location h:2 --ttl 30 --weight 7 --txt a=b",
                   0, "", "INFO:root:service a (web) registered\n");
    assert_string_equal(cli_run_value(&run, KEY),
                        "{\"location\":\"h:2\",\"weight\":7,\"txt\":{\"a\":\"b\"}}");
    assert_int_equal(run.store.grants, 1);
    assert_int_equal(run.store.leases[0].ttl_s, 30);
    assert_int_equal(fake_store_find(&run.store, KEY)->lease, run.store.leases[0].id);
}

static void an_address_to_listen_at_is_warned_of(void **state)
{
    (void)state;
    cli_run_expect(&run, "service register " WEB " --service-location 0.0.0.0:1", 0, "",
                   "WARNING:root:--service-location \"0.0.0.0:1\": an address to listen at, nobody "
                   "can connect to it\n"
                   "INFO:root:service a (web) registered\n");
}

static void what_is_wrong_is_refused_by_its_option(void **state)
{
    (void)state;
    assert_int_equal(cli_run(&run, "service register " WEB " --service-location h"), 2);
    assert_non_null(strstr(run.err, "ERROR:root:--service-location \"h\": "));
    cli_run_expect(&run,
                   "service register " WEB " --service-location h:1 --ttl 5 --refresh-every 5", 2,
                   "", "ERROR:root:--refresh-every \"5\": not shorter than --ttl \"5\"\n");
    assert_int_equal(run.store.txns, 0);
    assert_int_equal(cli_run(&run, "service register " WEB " --service-location h:1"
                                   " --etcd-endpoint 127.0.0.1:1"),
                     1);
    assert_non_null(strstr(run.err, "127.0.0.1:1: connection refused (is etcd running there? See "
                                    "--etcd-endpoint)\n"));
}

/* Once it is registered, the signal. */
static void decide_signal(void *arg, const char *path, const char *body, struct fake_row *row)
{
    fake_store_decide(arg, path, body, row);
    if (fake_store_find(&run.store, KEY) && signals++ == 0)
        kill(getpid(), SIGTERM);
}

static void one_that_stays_unregisters_on_a_signal(void **state)
{
    (void)state;
    run.store.gateway.decide = decide_signal;
    cli_run_expect(&run, "service register " WEB " --service-location h:1 --refresh-every 1000", 0,
                   "",
                   "INFO:root:service a (web) registered\n"
                   "INFO:root:service a (web) unregistered\n");
    assert_null(fake_store_find(&run.store, KEY));
    assert_true(signals > 0);
}

/* Once it is registered, another process has it, and the signal. */
static void decide_take(void *arg, const char *path, const char *body, struct fake_row *row)
{
    fake_store_decide(arg, path, body, row);
    if (fake_store_find(&run.store, KEY) && signals++ == 0) {
        fake_store_put(&run.store, KEY, "h:2", 0);
        kill(getpid(), SIGTERM);
    }
}

static void what_another_process_has_taken_is_left_to_it(void **state)
{
    (void)state;
    run.store.gateway.decide = decide_take;
    cli_run_expect(&run, "service register " WEB " --service-location h:1 --refresh-every 1000", 0,
                   "",
                   "INFO:root:service a (web) registered\n"
                   "WARNING:root:service a (web) was changed by another process: left as it is\n");
    assert_string_equal(cli_run_value(&run, KEY), "h:2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(once_it_is_registered_it_ends),
        TEST(an_address_to_listen_at_is_warned_of),
        TEST(what_is_wrong_is_refused_by_its_option),
        TEST(one_that_stays_unregisters_on_a_signal),
        TEST(what_another_process_has_taken_is_left_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
