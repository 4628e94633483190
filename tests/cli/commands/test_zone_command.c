#include "support/cli_run.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ZONE         "zone --domain z --ns ns.example.com=10.0.0.1 --host baz=10.9.9.9"

static struct cli_run run;
static unsigned compactions; /* how many ranges have been refused */

static int set_up(void **state)
{
    (void)state;
    compactions = 0;
    cli_run_open(&run);
    fake_store_put(&run.store, "/foo/service/http/a", "10.1.2.3:80", 0);
    fake_store_put(&run.store, "/foo/switch/x", "on", 0);
    fake_store_put(&run.store, "/fooled/service/http/z", "10.1.2.4:80", 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cli_run_close(&run);
    return 0;
}

/* All that is printed, whatever the order of the records. */
static void assert_lines(const char *const *lines, size_t count)
{
    size_t printed = 0;
    for (const char *p = run.out; *p; p++)
        printed += *p == '\n';
    for (size_t i = 0; i < count; i++) {
        const char *found = strstr(run.out, lines[i]);
        if (!found || (found > run.out && found[-1] != '\n'))
            fail_msg("no line %s in\n%s", lines[i], run.out);
    }
    assert_int_equal(printed, count);
}

static void a_tree_is_printed_as_a_master_file(void **state)
{
    static const char *const lines[] = {
        "; z at revision 4\n",
        "z.\t60\tIN\tSOA\tns.example.com. hostmaster.z. 4 60 20 604800 5\n",
        "z.\t3600\tIN\tNS\tns.example.com.\n",
        "b._dns-sd._udp.z.\t3600\tIN\tPTR\tz.\n",
        "db._dns-sd._udp.z.\t3600\tIN\tPTR\tz.\n",
        "lb._dns-sd._udp.z.\t3600\tIN\tPTR\tz.\n",
        "_services._dns-sd._udp.z.\t10\tIN\tPTR\t_http._tcp.z.\n",
        "_http._tcp.z.\t10\tIN\tPTR\ta._http._tcp.z.\n",
        "_http._tcp.z.\t10\tIN\tSRV\t0 1 80 10-1-2-3.addr.z.\n",
        "_http._tcp.z.\t10\tIN\tTXT\t\"name=a\" \"location=10.1.2.3:80\"\n",
        "http.service.z.\t10\tIN\tA\t10.1.2.3\n",
        "http.service.z.\t10\tIN\tSRV\t0 1 80 10-1-2-3.addr.z.\n",
        "a._http._tcp.z.\t10\tIN\tSRV\t0 1 80 10-1-2-3.addr.z.\n",
        "a._http._tcp.z.\t10\tIN\tTXT\t\"\"\n",
        "a.http.service.z.\t10\tIN\tA\t10.1.2.3\n",
        "a.http.service.z.\t10\tIN\tSRV\t0 1 80 10-1-2-3.addr.z.\n",
        "10-1-2-3.addr.z.\t10\tIN\tA\t10.1.2.3\n",
        "baz.host.z.\t10\tIN\tA\t10.9.9.9\n",
        "x.switch.z.\t10\tIN\tTXT\t\"on\"\n",
    };
    (void)state;
    assert_int_equal(cli_run(&run, ZONE), 0);
    assert_string_equal(run.err, "");
    assert_lines(lines, COUNT(lines));
}

static void the_options_of_serve_hold_here_too(void **state)
{
    (void)state;
    assert_int_equal(cli_run(&run, ZONE " --no-switches --record-ttl 77"), 0);
    assert_null(strstr(run.out, "switch"));
    assert_non_null(strstr(run.out, "\na.http.service.z.\t77\tIN\tA\t10.1.2.3\n"));
}

static void what_bind_refuses_is_warned_of(void **state)
{
    (void)state;
    fake_store_put(&run.store, "/foo/service/http/b", "my_host.example.com:1", 0);
    assert_int_equal(cli_run(&run, ZONE), 0);
    assert_non_null(strstr(run.err, "WARNING:root:4 records name a host that is not letters"));
}

/* The revision that is being read is compacted, a few times. */
static void decide_compacted(void *arg, const char *path, const char *body, struct fake_row *row)
{
    fake_store_decide(arg, path, body, row);
    if (strcmp(path, "/v3/kv/range") != 0 || compactions == 0)
        return;
    compactions--;
    row->status = 400;
    row->body =
        "{\"error\":\"etcdserver: mvcc: required revision has been compacted\",\"code\":11}";
}

static void a_tree_that_is_compacted_meanwhile_is_read_again(void **state)
{
    (void)state;
    run.store.gateway.decide = decide_compacted;
    compactions = 4;
    assert_int_equal(cli_run(&run, ZONE), 0);
    assert_non_null(strstr(run.out, "\na.http.service.z.\t10\tIN\tA\t10.1.2.3\n"));
    compactions = 5;
    assert_int_equal(cli_run(&run, ZONE), 1);
    assert_string_equal(run.out, "");
    assert_non_null(strstr(run.err, "compacted"));
}

static void what_is_wrong_and_an_etcd_that_is_away_are_said(void **state)
{
    (void)state;
    assert_int_equal(cli_run(&run, "zone --domain a..b"), 2);
    assert_non_null(strstr(run.err, "ERROR:root:--domain \"a..b\": "));
    assert_int_equal(cli_run(&run, ZONE " --etcd-endpoint 127.0.0.1:1"), 1);
    assert_string_equal(run.out, "");
    assert_non_null(strstr(run.err, "127.0.0.1:1: connection refused (is etcd running there? See "
                                    "--etcd-endpoint)\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tree_is_printed_as_a_master_file),
        TEST(the_options_of_serve_hold_here_too),
        TEST(what_bind_refuses_is_warned_of),
        TEST(a_tree_that_is_compacted_meanwhile_is_read_again),
        TEST(what_is_wrong_and_an_etcd_that_is_away_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
