#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEXT_SIZE 8192

static int wait_for(struct process *process)
{
    int status = -1;
    while (!process_has_ended(process, &status))
        usleep(1000);
    return status;
}

/* What `sh -c script` prints under these options. */
static const char *run(struct process_options options, const char *script)
{
    static char text[TEXT_SIZE];
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct process process;
    struct detail why = {""};
    int fds[2];
    size_t len = 0;
    ssize_t got;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    options.argv = argv;
    options.streams[0] = -1;
    options.streams[1] = fds[1];
    options.streams[2] = 2;
    if (process_start(&options, &process, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    close(fds[1]);
    while ((got = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)got;
    close(fds[0]);
    text[len] = '\0';
    int status = wait_for(&process);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return text;
}

/* A shell that goes on until it is ended by a signal. */
static struct process start(struct process_options options, const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct process process = {0};
    options.argv = argv;
    options.streams[1] = 1;
    options.streams[2] = 2;
    options.streams[0] = -1;
    assert_int_equal(process_start(&options, &process, NULL), STATUS_OK);
    return process;
}

static void how_it_ended_is_told(void **state)
{
    (void)state;
    struct process process = start((struct process_options){.argv = NULL}, "exit 7");
    pid_t pid = process.pid;
    int status = wait_for(&process);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    assert_int_equal(process.pid, 0);
    assert_int_equal(kill(pid, 0), -1); /* and it has been waited for */
    process = start((struct process_options){.argv = NULL}, "exec sleep 60");
    status = -1;
    assert_false(process_has_ended(&process, &status));
    process_signal(&process, SIGUSR2);
    status = wait_for(&process);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR2);
    assert_true(process_has_ended(&process, &status));
    process_signal(&process, SIGKILL); /* to nobody: 0 would be ourselves */
}

static int free_fd(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return fd;
}

static void what_cannot_be_executed_is_named_and_leaves_nothing(void **state)
{
    char plain[] = "/tmp/empusa-test-XXXXXX";
    const struct {
        const char *program;
        enum status status;
        int error;
    } rows[] = {
        {"empusa-test-there-is-none", STATUS_NOT_FOUND, ENOENT},
        {"/nonexistent/program", STATUS_NOT_FOUND, ENOENT},
        {"/dev", STATUS_SYSTEM, EACCES},
        {plain, STATUS_SYSTEM, EACCES},
    };
    (void)state;
    close(mkstemp(plain));
    int before = free_fd();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const argv[] = {rows[i].program, NULL};
        const struct process_options options = {.argv = argv, .streams = {-1, 1, 2}};
        struct process process = {.pid = 42};
        struct detail why = {""};
        char text[128];
        snprintf(text, sizeof(text), "%s: %s", rows[i].program, strerror(rows[i].error));
        assert_int_equal(process_start(&options, &process, &why), rows[i].status);
        assert_string_equal(why.text, text);
        assert_int_equal(process.pid, 42);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child */
        assert_int_equal(free_fd(), before);
    }
    unlink(plain);
}

static void streams_that_are_not_there_are_an_error(void **state)
{
    static const char *const argv[] = {"true", NULL};
    const struct process_options options = {.argv = argv, .streams = {-1, 1, 1000}};
    struct process process;
    struct detail why = {""};
    (void)state;
    assert_int_equal(process_start(&options, &process, &why), STATUS_SYSTEM);
    assert_string_equal(why.text, "true: Bad file descriptor");
}

static void the_environment_is_ours_with_less_and_more(void **state)
{
    static const char *const set[] = {"EMPUSA_TEST_A=new", "EMPUSA_TEST_AB=added", NULL};
    static const char script[] =
        "echo $EMPUSA_TEST_A,$EMPUSA_TEST_AB,$EMPUSA_TEST_B,$XTEST_1,$XTEST,$EMPUSA_ETCD_PASSWORD,"
        "$EMPUSA_ETCD_PASSWORD_FILE; env | grep -c EMPUSA_TEST_A=";
    (void)state;
    setenv("EMPUSA_TEST_A", "old", 1);
    setenv("EMPUSA_TEST_B", "kept", 1);
    setenv("XTEST_1", "1", 1);
    setenv("XTEST", "2", 1);
    setenv("EMPUSA_ETCD_PASSWORD", "secret", 1);
    setenv("EMPUSA_ETCD_PASSWORD_FILE", "/file", 1);
    const struct process_options plain = {.argv = NULL};
    assert_string_equal(run(plain, script), "old,,kept,1,2,,/file\n1\n");
    const struct process_options options = {.set = set, .unset = "XTEST_"};
    assert_string_equal(run(options, script), "new,added,kept,,2,,/file\n1\n");
    assert_string_equal(getenv("EMPUSA_ETCD_PASSWORD"), "secret"); /* ours stays */
}

static void what_the_service_manager_said_to_us_is_not_handed_on(void **state)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        setenv(names[i], "1", 1);
    setenv("WATCHDOG", "kept", 1);
    const char *text =
        run((struct process_options){.argv = NULL}, "env | grep -e '^WATCHDOG' -e '^NOTIFY'");
    assert_string_equal(text, "WATCHDOG=kept\n");
    for (size_t i = 0; i < 3; i++)
        unsetenv(names[i]);
}

static void descriptors_that_are_ours_alone_are_not_there(void **state)
{
    (void)state;
    assert_int_equal(fcntl(2, F_DUPFD_CLOEXEC, 200), 200);
    assert_int_equal(fcntl(2, F_DUPFD, 201), 201); /* as whoever started us may have handed on */
    const char *text = run((struct process_options){.argv = NULL},
                           "readlink /proc/$$/fd/0; ls /proc/$$/fd | grep '^20[01]'");
    assert_string_equal(text, "/dev/null\n201\n");
    close(200);
    close(201);
}

static void a_group_of_its_own_gets_the_signals_whole(void **state)
{
    char text[64];
    (void)state;
    const struct process_options ours = {.argv = NULL}, own = {.has_group = true};
    snprintf(text, sizeof(text), "%d\n", getpgrp());
    assert_string_equal(run(ours, "cut -d' ' -f5 /proc/$$/stat"), text);
    assert_string_not_equal(run(own, "cut -d' ' -f5 /proc/$$/stat"), text);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct process process = start(own, "sleep 61 & wait; wait");
    assert_int_equal(getpgid(process.pid), process.pid);
    snprintf(text, sizeof(text), "/proc/%d/task/%d/children", process.pid, process.pid);
    for (char line[64] = ""; !line[0];) { /* until the sleep is there */
        FILE *file = fopen(text, "re");
        assert_non_null(file);
        if (!fgets(line, sizeof(line), file))
            usleep(1000);
        fclose(file);
    }
    process_signal(&process, SIGTERM);
    pid_t group = process.pid;
    int status = wait_for(&process);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_true(waitpid(-group, &status, 0) > 0); /* the sleep, which is ours by now */
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void handler(int number)
{
    (void)number;
}

/* The masks of /proc/PID/status: bit n - 1 is signal n. */
static uint64_t mask_of(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    assert_non_null(line);
    return strtoull(line + strlen(name) + 1, NULL, 16);
}

#define BIT(number) (UINT64_C(1) << ((number)-1))

static void signals_are_as_we_found_them(void **state)
{
    static const int ours[] = {SIGPIPE, SIGXFSZ, SIGTERM, SIGINT, SIGUSR1, SIGCHLD};
    sigset_t blocked, before;
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* by ourselves */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* by nohup */
    signal(SIGTERM, handler);
    signal(SIGINT, handler);
    signal(SIGUSR1, handler);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    const struct process_options options = {.argv = NULL};
    const char *text = run(options, "exec cat /proc/self/status");
    uint64_t ignored = mask_of(text, "SigIgn:"), caught = mask_of(text, "SigCgt:");
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        assert_int_equal((ignored | caught) & BIT(ours[i]), 0);
    assert_int_equal(ignored & BIT(SIGHUP), BIT(SIGHUP));
    assert_int_equal(mask_of(text, "SigBlk:"), BIT(SIGUSR2));
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    assert_int_equal(sigismember(&blocked, SIGTERM), 0); /* nor are ours changed */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        signal(ours[i], SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

static void it_dies_with_us(void **state)
{
    int fds[2];
    pid_t pid = 0;
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t between = fork();
    if (between == 0) {
        const struct process_options options = {.death_signal = SIGKILL};
        struct process process = start(options, "exec sleep 62");
        if (write(fds[1], &process.pid, sizeof(process.pid)) < 0)
            _exit(1);
        pause();
    }
    assert_int_equal(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
    assert_int_equal(kill(pid, 0), 0);
    kill(between, SIGKILL);
    waitpid(between, NULL, 0);
    char path[64], line[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    for (int i = 0; i < 5000; i++) {
        FILE *file = fopen(path, "re");
        if (!file || !fgets(line, sizeof(line), file) || strstr(line, ") Z"))
            i = 5000; /* gone, or dead until init waits for it */
        if (file)
            fclose(file);
        usleep(1000);
        if (i == 4999)
            fail_msg("%s", line);
    }
    close(fds[0]);
    close(fds[1]);
}

static void a_fork_without_execution_begins_blocked_and_unhandled(void **state)
{
    sigset_t before, now, empty;
    (void)state;
    signal(SIGUSR1, handler);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&empty);
    pthread_sigmask(SIG_SETMASK, &empty, NULL);
    pid_t pid = process_fork(&before);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    struct sigaction handled, ignored;
    sigaction(SIGUSR1, NULL, &handled);
    sigaction(SIGPIPE, NULL, &ignored);
    if (pid == 0) {
        bool is_right = sigismember(&now, SIGTERM) && sigismember(&now, SIGUSR1) &&
                        !sigismember(&before, SIGTERM) && handled.sa_handler == SIG_DFL &&
                        ignored.sa_handler == SIG_IGN;
        _exit(is_right ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_false(sigismember(&now, SIGTERM));
    assert_true(handled.sa_handler == handler);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_it_ended_is_told),
        cmocka_unit_test(what_cannot_be_executed_is_named_and_leaves_nothing),
        cmocka_unit_test(streams_that_are_not_there_are_an_error),
        cmocka_unit_test(the_environment_is_ours_with_less_and_more),
        cmocka_unit_test(what_the_service_manager_said_to_us_is_not_handed_on),
        cmocka_unit_test(descriptors_that_are_ours_alone_are_not_there),
        cmocka_unit_test(a_group_of_its_own_gets_the_signals_whole),
        cmocka_unit_test(signals_are_as_we_found_them),
        cmocka_unit_test(it_dies_with_us),
        cmocka_unit_test(a_fork_without_execution_begins_blocked_and_unhandled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
