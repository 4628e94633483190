#include "support/in_child.h"
#include "support/log_lines.h"

#include "cli/process/harden.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

static void check_environment(void)
{
    setenv("SSLKEYLOGFILE", "/tmp/keys", 1);
    setenv("SSLKEYLOGFILES", "kept", 1);
    harden_environment();
    CHILD_EXPECT(!getenv("SSLKEYLOGFILE") && getenv("SSLKEYLOGFILES"));
}

static void no_file_gets_the_keys_of_sessions(void **state)
{
    (void)state;
    assert_true(in_child(check_environment));
}

static void check_core(void)
{
    struct rlimit now;
    if (getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_max == 0 && geteuid() != 0)
        return;
    harden_secrets();
    CHILD_EXPECT(getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_cur == 1 && now.rlim_max == 1);
}

/* In a directory where there may be one, be it that files are piped to a program. */
static void check_crash(void)
{
    char directory[] = "/tmp/empusa-test-XXXXXX";
    CHILD_EXPECT(mkdtemp(directory) && chdir(directory) == 0);
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_CORE, &all) != 0 && getrlimit(RLIMIT_CORE, &all) == 0) {
        all.rlim_cur = all.rlim_max; /* one of 0 cannot be raised, and a pipe ignores it */
        CHILD_EXPECT(setrlimit(RLIMIT_CORE, &all) == 0);
    }
    harden_secrets();
    pid_t pid = fork();
    if (pid == 0)
        abort();
    int status = 0;
    CHILD_EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    CHILD_EXPECT(!WCOREDUMP(status) || all.rlim_max == 0);
    CHILD_EXPECT(rmdir(directory) == 0);
}

static void no_core_file_holds_a_secret(void **state)
{
    (void)state;
    assert_true(in_child(check_core));
    assert_true(in_child(check_crash));
}

static void check_execution(void)
{
    CHILD_EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
    harden_execution();
    CHILD_EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void nothing_executed_gains_rights(void **state)
{
    (void)state;
    assert_true(in_child(check_execution));
}

static void check_writes(void)
{
    FILE *file = tmpfile();
    CHILD_EXPECT(file && setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0}) == 0);
    signal(SIGXFSZ, SIG_DFL); /* whatever we were started with */
    harden_writes();
    CHILD_EXPECT(write(fileno(file), "x", 1) == -1 && errno == EFBIG);
}

static void a_file_that_may_not_grow_does_not_end_the_process(void **state)
{
    (void)state;
    assert_true(in_child(check_writes));
}

static void check_capabilities(void)
{
    struct detail why = {""};
    harden_bounding_set();
    CHILD_EXPECT(in_child_status("CapBnd") == 0);
    CHILD_EXPECT(harden_capabilities(&why) == STATUS_OK);
    CHILD_EXPECT(in_child_status("CapEff") == 0 && in_child_status("CapPrm") == 0);
    CHILD_EXPECT(in_child_status("CapInh") == 0 && in_child_status("CapAmb") == 0);
    CHILD_EXPECT(setuid(1) != 0); /* root's number alone is no right */
}

static void no_capability_is_left_nor_can_be_gained(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_true(in_child(check_capabilities));
}

static void files_that_others_may_read_or_change_are_warned_of(void **state)
{
    static const struct {
        mode_t mode;
        bool is_warned;
    } rows[] = {{0600, false}, {0640, false}, {0660, false}, {0604, true},
                {0602, true},  {0644, true},  {0601, false}};
    (void)state;
    char path[] = "/tmp/empusa-test-XXXXXX", text[128];
    struct log_lines lines;
    log_lines_init(&lines);
    close(mkstemp(path));
    snprintf(text, sizeof(text),
             "WARNING:--etcd-key \"%s\": others may read or change it (chmod o-rw)\n", path);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(chmod(path, rows[i].mode), 0);
        harden_warn(&lines.log, "etcd-key", path);
        assert_string_equal(log_lines_take(&lines), rows[i].is_warned ? text : "");
    }
    unlink(path);
    harden_warn(&lines.log, "etcd-key", path); /* what is not there is another's to say */
    harden_warn(&lines.log, "etcd-key", "/dev/null");
    assert_string_equal(log_lines_take(&lines), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_gets_the_keys_of_sessions),
        cmocka_unit_test(no_core_file_holds_a_secret),
        cmocka_unit_test(nothing_executed_gains_rights),
        cmocka_unit_test(a_file_that_may_not_grow_does_not_end_the_process),
        cmocka_unit_test(no_capability_is_left_nor_can_be_gained),
        cmocka_unit_test(files_that_others_may_read_or_change_are_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
