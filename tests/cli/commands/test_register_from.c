#include "support/cli_run.h"

#include <signal.h>
#include <unistd.h>

static struct cli_run run;
static char file[] = "/tmp/empusa-from-XXXXXX";
static char command[128];

/* What the file says. */
static void say(const char *text)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static int set_up(void **state)
{
    (void)state;
    cli_run_open(&run);
    strcpy(file + sizeof(file) - 7, "XXXXXX");
    close(mkstemp(file));
    snprintf(command, sizeof(command), "service register --from %s", file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cli_run_close(&run);
    return unlink(file);
}

static void entries_are_registered_each_with_its_ttl(void **state)
{
    (void)state;
    say("{\"service\": \"http/a\", \"location\": \"10.1.2.3:80\", \"ttl\": 60}\n"
        "{\"service\": \"/foo/service/http/b\", \"location\": \"h:1\", \"weight\": 0}\n"
        "{\"service\": \"db/c\", \"location\": \"h:2\", \"ttl\": null}\n");
    cli_run_expect(&run, command, 0, "", "INFO:root:3 services registered\n");
    assert_string_equal(cli_run_value(&run, "/foo/service/http/a"), "10.1.2.3:80");
    assert_string_equal(cli_run_value(&run, "/foo/service/http/b"),
                        "{\"location\":\"h:1\",\"weight\":0}");
    assert_string_equal(cli_run_value(&run, "/foo/service/db/c"), "h:2");
    assert_int_equal(run.store.grants, 1);
    assert_int_equal(run.store.leases[0].ttl_s, 60);
    assert_int_equal(fake_store_find(&run.store, "/foo/service/http/b")->lease, 0);
    assert_int_equal(fake_store_find(&run.store, "/foo/service/http/a")->lease,
                     run.store.leases[0].id);
}

static void of_three_lines_the_one_before_the_bad_one_is_registered(void **state)
{
    (void)state;
    say("{\"service\": \"http/a\", \"location\": \"h:1\"}\n"
        "{\"service\": \"http/b\", \"location\": \"h\"}\n"
        "{\"service\": \"http/c\", \"location\": \"h:3\"}\n");
    assert_int_equal(cli_run(&run, command), 1);
    assert_non_null(strstr(run.err, "entry 2"));
    assert_non_null(strstr(run.err, " (1 service registered)\n"));
    assert_string_equal(cli_run_value(&run, "/foo/service/http/a"), "h:1");
    assert_int_equal(run.store.key_count, 1);
}

static void an_address_to_listen_at_is_warned_of_once(void **state)
{
    (void)state;
    say("[{\"service\": \"http/a\", \"location\": \"0.0.0.0:1\"},"
        " {\"service\": \"http/b\", \"location\": \"[::]:1\"}]");
    cli_run_expect(&run, command, 0, "",
                   "WARNING:root:entry 1: \"/foo/service/http/a\": at an address to listen at, "
                   "nobody can connect to it (no more are named)\n"
                   "INFO:root:2 services registered\n");
}

static void a_file_that_is_cut_or_not_there_is_said(void **state)
{
    (void)state;
    say("[{\"service\": \"http/a\", \"location\": \"h:1\"}");
    assert_int_equal(cli_run(&run, command), 1);
    assert_non_null(strstr(run.err, "ERROR:root:--from \""));
    assert_non_null(strstr(run.err, " (1 service registered)\n"));
    cli_run_expect(&run, "service register --from /nonexistent/x", 1, "",
                   "ERROR:root:--from \"/nonexistent/x\": No such file or directory\n");
    cli_run_expect(&run, "service register --from http://u:secret@h/x", 1, "",
                   "ERROR:root:--from \"http://***@h/x\": No such file or directory\n");
    cli_run_expect(&run, "service register --from /tmp", 1, "",
                   "ERROR:root:--from \"/tmp\": Is a directory (0 services registered)\n");
}

static void no_other_option_goes_with_it(void **state)
{
    (void)state;
    say("{\"service\": \"http/a\", \"location\": \"h:1\"}");
    char line[192];
    snprintf(line, sizeof(line), "%s --service-name b", command);
    cli_run_expect(&run, line, 2, "", "ERROR:root:--service-name: not together with --from\n");
    setenv("EMPUSA_SERVICE_NAME", "b", 1); /* it may be meant for others */
    snprintf(line, sizeof(line), "%s --ttl 30 --refresh-every 0", command);
    cli_run_expect(&run, line, 0, "", "INFO:root:1 service registered\n");
    assert_int_equal(run.store.leases[0].ttl_s, 30);
}

static void a_failure_says_how_many_are_registered(void **state)
{
    (void)state;
    say("{\"service\": \"http/a\", \"location\": \"h:1\"}");
    run.store.fail =
        (struct fake_row){"/v3/kv/txn", 403,
                          "{\"error\":\"etcdserver: permission denied\",\"code\":7}", FAKE_KEEP, 9};
    assert_int_equal(cli_run(&run, command), 1);
    assert_non_null(strstr(run.err, "ERROR:root:0 services registered, then: "));
    assert_non_null(strstr(
        run.err, "permission denied (see --etcd-user, --etcd-password-file and the roles of that "
                 "user)\n"));
}

/* With the first entry on its way, Ctrl-C. */
static void decide_signal(void *arg, const char *path, const char *body, struct fake_row *row)
{
    if (strcmp(path, "/v3/kv/txn") == 0)
        kill(getpid(), SIGINT);
    fake_store_decide(arg, path, body, row);
}

static void an_interruption_says_how_many_are_registered(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDIN_FILENO);
    dup2(ends[0], STDIN_FILENO);
    const char *text = "{\"service\": \"http/a\", \"location\": \"h:1\"}";
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    run.store.gateway.decide = decide_signal;
    int exit_status = cli_run(&run, "service register --from -");
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(exit_status, 1);
    assert_non_null(strstr(run.err, "ERROR:root:interrupted: "));
    assert_non_null(strstr(run.err, " registered\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entries_are_registered_each_with_its_ttl),
        TEST(of_three_lines_the_one_before_the_bad_one_is_registered),
        TEST(an_address_to_listen_at_is_warned_of_once),
        TEST(a_file_that_is_cut_or_not_there_is_said),
        TEST(no_other_option_goes_with_it),
        TEST(a_failure_says_how_many_are_registered),
        TEST(an_interruption_says_how_many_are_registered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
