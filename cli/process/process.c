#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_STARTED 127

extern char **environ;

/* What is ours alone: the password, and what the service manager gave to us. etcd would tell it that
 * it is ready in our place. */
static const char *const process_own[] = {
    "EMPUSA_ETCD_PASSWORD=", "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID="};

/* Whether the child does not get this entry of our environment, or has another of its name. */
static bool process_leaves_out(const struct process_options *options, const char *entry)
{
    size_t len = strcspn(entry, "=") + 1;
    for (size_t i = 0; options->set && options->set[i]; i++)
        if (strncmp(options->set[i], entry, len) == 0)
            return true;
    for (size_t i = 0; i < sizeof(process_own) / sizeof(process_own[0]); i++)
        if (strncmp(entry, process_own[i], strlen(process_own[i])) == 0)
            return true;
    return options->unset && strncmp(entry, options->unset, strlen(options->unset)) == 0;
}

/* Made before fork(): where there are other threads, a child may call only what is safe in a signal
 * handler (POSIX), and malloc() is not. The strings are borrowed, the array is the caller's. */
static const char **process_environment(const struct process_options *options)
{
    size_t count = 0, set_count = 0, used = 0;
    while (environ && environ[count])
        count++;
    while (options->set && options->set[set_count])
        set_count++;
    const char **entries = calloc(count + set_count + 1, sizeof(*entries));
    for (size_t i = 0; entries && i < count; i++)
        if (!process_leaves_out(options, environ[i]))
            entries[used++] = environ[i];
    for (size_t i = 0; entries && i < set_count; i++)
        entries[used++] = options->set[i];
    return entries;
}

pid_t process_fork(sigset_t *before)
{
    struct sigaction action;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
    pid_t pid = fork();
    /* All signals stay blocked until the handlers are gone: one that came in between would run the
     * parent's in the child. What was ignored stays so, as for any child. */
    int error = errno; /* what follows may change it */
    for (int number = 1; pid == 0 && number < NSIG; number++)
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            signal(number, SIG_DFL);
    if (pid != 0)
        pthread_sigmask(SIG_SETMASK, before, NULL);
    errno = error;
    return pid;
}

/* None is overwritten before it was copied: what is given is in its own place already, or above
 * 2. */
static bool process_set_streams(const int streams[3])
{
    for (int i = 0; i < 3; i++) {
        int fd = streams[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : streams[i];
        if (dup2(fd, i) < 0)
            return false;
    }
    return true;
}

/* In the child. What keeps it from being executed goes to the parent. */
static void process_execute(const struct process_options *options, const char *const *entries,
                            pid_t parent, const sigset_t *mask, int report)
{
    signal(SIGPIPE, SIG_DFL); /* ignored by ourselves: output_init() */
    signal(SIGXFSZ, SIG_DFL);
    /* Before execve(), for which the parent waits: so the group is there when it is signalled. */
    if (options->has_group)
        setpgid(0, 0);
    /* The signal is for a death that is to come. A parent that died before has been replaced by
     * another, of whose death we would be told instead: so it is looked at afterwards. */
    prctl(PR_SET_PDEATHSIG, options->death_signal);
    if (options->death_signal != 0 && getppid() != parent)
        _exit(NOT_STARTED); /* it has gone already */
    if (process_set_streams(options->streams)) {
        /* Only now: what was blocked meanwhile finds the defaults. */
        pthread_sigmask(SIG_SETMASK, mask, NULL);
        /* It changes neither. */
        execvpe(options->argv[0], (char *const *)(uintptr_t)options->argv,
                (char *const *)(uintptr_t)entries);
    }
    int error = errno;
    if (write(report, &error, sizeof(error)) < 0)
        _exit(NOT_STARTED);
    _exit(NOT_STARTED);
}

/* The errno of a child that could not be executed, else 0: the pipe is closed by execve(). */
static int process_read_report(int fd)
{
    int error = 0;
    ssize_t len;
    do
        len = read(fd, &error, sizeof(error));
    while (len < 0 && errno == EINTR);
    return len == (ssize_t)sizeof(error) ? error : 0;
}

/* The pipe's end in the child has FD_CLOEXEC: execve() closes it, and reading here ends without an
 * octet. So it is known whether the program runs, and not only that there is a process. */
static int process_try(const struct process_options *options, const char *const *entries,
                       struct process *out)
{
    int report[2];
    sigset_t before;
    pid_t parent = getpid();
    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    pid_t pid = process_fork(&before);
    if (pid == 0)
        process_execute(options, entries, parent, &before, report[1]);
    int error = pid < 0 ? errno : 0;
    /* Else the pipe would never end: it has a writer as long as we hold this. */
    close(report[1]);
    if (pid > 0)
        error = process_read_report(report[0]);
    close(report[0]);
    /* It has written why and is ending: who gets an error has no process to wait for. */
    if (pid > 0 && error != 0)
        waitpid(pid, NULL, 0);
    else if (pid > 0)
        *out = (struct process){.pid = pid, .has_group = options->has_group};
    return error;
}

enum status process_start(const struct process_options *options, struct process *out,
                          struct detail *why)
{
    const char **entries = process_environment(options);
    if (!entries)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    int error = process_try(options, entries, out);
    free(entries);
    return error == 0 ? STATUS_OK
                      : detail_set(why, error == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM,
                                   "%s: %s", options->argv[0], strerror(error));
}

void process_signal(const struct process *process, int number)
{
    if (process->pid > 0)
        kill(process->has_group ? -process->pid : process->pid, number);
}

bool process_has_ended(struct process *process, int *status)
{
    /* Also where waitpid() fails: then the child is not ours any more, and its number may be
     * another's soon. */
    if (process->pid > 0 && waitpid(process->pid, status, WNOHANG) != 0)
        process->pid = 0;
    return process->pid == 0;
}
