/* What etcd_child.c refuses is tested in test_etcd_child.c; here what becomes of it. */
#include "support/cli_run.h"
#include "support/etcd_server.h"

#include "cli/program.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct cli_run run;
static char directory[] = "/tmp/empusa-dev-test-XXXXXX";
static char path[1024]; /* that of the environment */

static int set_up(void **state)
{
    (void)state;
    cli_run_open(&run);
    setenv("PATH", path, 1);
    strcpy(directory + sizeof(directory) - 7, "XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    cli_run_close(&run);
    setenv("PATH", path, 1);
    etcd_server_remove(directory, "");
    return 0;
}

static void without_etcd_the_package_is_named(void **state)
{
    (void)state;
    setenv("PATH", "/nonexistent", 1);
    cli_run_expect(&run, "dev", 1, "",
                   "ERROR:root:there is no etcd in PATH: install the Debian package etcd-server "
                   "(apt-get install etcd-server)\n");
}

static void a_directory_that_others_may_write_to_is_refused(void **state)
{
    (void)state;
    char line[128], said[256];
    assert_int_equal(chmod(directory, 0777), 0);
    snprintf(line, sizeof(line), "dev --data-dir %s/", directory);
    snprintf(said, sizeof(said), "ERROR:root:--data-dir %s: others may write to it (chmod go-w)\n",
             directory);
    cli_run_expect(&run, line, 1, "", said);
}

static void an_etcd_that_ends_is_told_with_its_last_words(void **state)
{
    (void)state;
    char program[64];
    snprintf(program, sizeof(program), "%s/etcd", directory);
    FILE *file = fopen(program, "w");
    assert_non_null(file);
    fputs("#!/bin/sh\necho not today\nexit 3\n", file);
    fclose(file);
    assert_int_equal(chmod(program, 0700), 0);
    setenv("PATH", directory, 1);
    cli_run_expect(&run, "dev", 1, "", "ERROR:root:etcd has ended (exit status 3): not today\n");
}

static void wrong_options_are_found_once_etcd_is_up(void **state)
{
    (void)state;
    assert_int_equal(cli_run(&run, "dev --domain a..b"), 2);
    assert_string_equal(run.out, "");
    assert_non_null(strstr(run.err, "ERROR:root:--domain \"a..b\": "));
}

/* `dev` in a child, its standard output into *out. */
static pid_t start_dev(FILE **out)
{
    char words[][16] = {"empusa", "dev", "--listen", "127.0.0.1:0", "--log-level", "ERROR"};
    char *argv[7] = {words[0], words[1], words[2], words[3], words[4], words[5], NULL};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30); /* whatever it waits for, not for ever */
        close(ends[0]);
        dup2(ends[1], STDOUT_FILENO);
        _exit(program_run(6, argv));
    }
    close(ends[1]);
    *out = fdopen(ends[0], "r");
    assert_non_null(*out);
    return pid;
}

/* Whatever cluster the environment names, the tree is that of the variable. */
static void it_says_how_to_use_it_and_ends_with_ctrl_c(void **state)
{
    (void)state;
    char text[2048] = "", line[256];
    FILE *out;
    int status = -1;
    setenv("EMPUSA_ETCD_ENDPOINT", "127.0.0.1:1", 1);
    setenv("EMPUSA_ETCD_USER", "bob", 1); /* without a password it would not start */
    setenv("EMPUSA_TREE_ROOT", "/foo", 1);
    pid_t pid = start_dev(&out);
    while (!strstr(text, "Ctrl-C ends it.\n") && fgets(line, sizeof(line), out))
        strncat(text, line, sizeof(text) - strlen(text) - 1);
    kill(pid, SIGINT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    fclose(out);
    assert_int_equal(status, 0);
    const char *endpoint = "export EMPUSA_ETCD_ENDPOINT=127.0.0.1:";
    assert_int_equal(strncmp(text, endpoint, strlen(endpoint)), 0);
    assert_null(strstr(text, "127.0.0.1:1\n"));
    assert_non_null(strstr(text, "\nexport EMPUSA_TREE_ROOT=/foo\n"));
    assert_non_null(strstr(text, "\n  dig @127.0.0.1 -p "));
    assert_non_null(strstr(text, " shop._web._tcp.empusa.internal SRV\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_how_to_use_it_and_ends_with_ctrl_c), /* forks: before threads */
        TEST(without_etcd_the_package_is_named),
        TEST(a_directory_that_others_may_write_to_is_refused),
        TEST(an_etcd_that_ends_is_told_with_its_last_words),
        TEST(wrong_options_are_found_once_etcd_is_up),
    };
    snprintf(path, sizeof(path), "%s", getenv("PATH"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
