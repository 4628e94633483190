#include "support/cli_run.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>

#define DENIED "{\"error\":\"etcdserver: permission denied\",\"code\":7}"

static struct cli_run run;

static int set_up(void **state)
{
    (void)state;
    cli_run_open(&run);
    fake_store_add_lease(&run.store, 5, 60, 30);
    fake_store_put(&run.store, "/foo/service/http/b", "{\"location\":\"h:2\",\"weight\":0}", 0);
    fake_store_put(&run.store, "/foo/service/http/a", "10.1.2.3:80", 5);
    fake_store_put(&run.store, "/foo/service/https/c", "a:1\nb", 0);
    fake_store_put(&run.store, "/foo/switch/x/y", "on", 5);
    fake_store_put(&run.store, "/fooled/switch/z", "on", 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cli_run_close(&run);
    return 0;
}

static void services_are_a_sorted_table(void **state)
{
    (void)state;
    cli_run_expect(&run, "service list", 0,
                   "+-----------+-------------+-------+\n"
                   "| Service   | Location    |   TTL |\n"
                   "|-----------+-------------+-------|\n"
                   "| http/a    | 10.1.2.3:80 |    30 |\n"
                   "| http/b    | h:2         |       |\n"
                   "| https/c   | a:1\\x0ab    |       |\n"
                   "+-----------+-------------+-------+\n",
                   "");
}

static void services_of_a_type_are_those_alone(void **state)
{
    (void)state;
    cli_run_expect(&run, "service list --service-type http --format json", 0,
                   "[{\"service\": \"/foo/service/http/a\", \"location\": \"10.1.2.3:80\", "
                   "\"ttl\": 30}, {\"service\": \"/foo/service/http/b\", \"location\": \"h:2\", "
                   "\"ttl\": null, \"weight\": 0}]\n",
                   "");
    cli_run_expect(&run, "service list --service-type none --format json", 0, "[]\n", "");
    assert_int_equal(cli_run(&run, "service list --service-type a/b"), 2);
    assert_string_equal(run.out, "");
    assert_non_null(strstr(run.err, "ERROR:root:--service-type \"a/b\": "));
}

static void switches_are_listed_with_their_paths(void **state)
{
    (void)state;
    cli_run_expect(&run, "switch list", 0,
                   "+----------+---------+-------+\n"
                   "| Switch   | Value   |   TTL |\n"
                   "|----------+---------+-------|\n"
                   "| x/y      | on      |    30 |\n"
                   "+----------+---------+-------+\n",
                   "");
    cli_run_expect(&run, "switch list --format json", 0,
                   "[{\"switch\": \"/foo/switch/x/y\", \"value\": \"on\", \"ttl\": 30}]\n", "");
}

static void an_empty_tree_has_an_empty_table(void **state)
{
    (void)state;
    cli_run_expect(&run, "switch list --tree-root /bar", 0,
                   "+----------+---------+-------+\n"
                   "| Switch   | Value   | TTL   |\n"
                   "|----------+---------+-------|\n"
                   "+----------+---------+-------+\n",
                   "");
}

static void what_etcd_refuses_is_said(void **state)
{
    (void)state;
    run.store.fail = (struct fake_row){"/v3/kv/range", 403, DENIED, FAKE_KEEP, 9};
    assert_int_equal(cli_run(&run, "service list"), 1);
    assert_string_equal(run.out, "");
    assert_non_null(strstr(run.err, "permission denied (see --etcd-user, --etcd-password-file and "
                                    "the roles of that user)\n"));
    assert_int_equal(cli_run(&run, "service list --etcd-endpoint 127.0.0.1:1"), 1);
    assert_non_null(strstr(run.err, "127.0.0.1:1: connection refused (is etcd running there? See "
                                    "--etcd-endpoint)\n"));
}

static size_t refused_size;

static void *refuse(size_t size)
{
    errno = ENOMEM;
    return size == refused_size ? NULL : malloc(size);
}

/* Not printed as if it were none: as the text that it is. */
static void an_entry_that_cannot_be_read_for_want_of_memory_ends_the_list(void **state)
{
    static const char entry[] = "{\"location\": \"h:2\",               \"weight\": 0}";
    (void)state;
    fake_store_put(&run.store, "/foo/service/http/b", entry, 0);
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = refuse, .free_fn = free});
    refused_size = strlen(entry); /* of the copy that it is read in */
    cli_run_expect(&run, "service list", 1, "", "ERROR:root:out of memory\n");
    cJSON_InitHooks(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(services_are_a_sorted_table),
        TEST(services_of_a_type_are_those_alone),
        TEST(switches_are_listed_with_their_paths),
        TEST(an_empty_tree_has_an_empty_table),
        TEST(what_etcd_refuses_is_said),
        TEST(an_entry_that_cannot_be_read_for_want_of_memory_ends_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
