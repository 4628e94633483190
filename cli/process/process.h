/* cli/process/process.h - the one file that forks and executes.
 *
 * libuv's uv_spawn() can give its child neither a process group nor a signal for its parent's
 * death, and it sets signals back to their defaults that were ignored when we were started, as
 * nohup has it.
 *
 * A child begins with the signals, mask and directory that this process was started with, with none
 * of our descriptors above 2, as all have FD_CLOEXEC, and without EMPUSA_ETCD_PASSWORD and what
 * systemd gave to us (NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID). Whoever needs a shell's exit
 * status makes it of what waitpid() says: 127 for NOT_FOUND and 126 for another failure of
 * process_start(), 128 + n for a signal.
 *
 * Threads: process_start() from the main thread, as the kernel takes the end of the thread that
 * forked for the parent's death. */
#ifndef CLI_PROCESS_PROCESS_H
#define CLI_PROCESS_PROCESS_H

#include "registry/base/status.h"

#include <signal.h>
#include <sys/types.h>

struct process_options {
    const char *const *argv; /* ends with NULL; argv[0] is sought in PATH if there is no / in it */
    const char *const *set;  /* "NAME=VALUE", ends with NULL: beside our own environment; or NULL */
    const char *unset;       /* beginning of names that are left out of ours, or NULL */
    int streams[3];   /* standard ones: our 0, 1 or 2 in its own place, one above, or -1: null */
    bool has_group;   /* of its own: a terminal's signals do not reach it */
    int death_signal; /* what it gets when we are gone, however; 0 = nothing */
};

struct process {
    pid_t pid; /* 0: has ended */
    bool has_group;
};

/* Start it. Blocks until it has been executed. OK: *out is to be waited for by
 * process_has_ended(). NOT_FOUND: there is no such program. SYSTEM: another reason; *why names
 * argv[0]. NO_MEMORY. */
MUST_USE enum status process_start(const struct process_options *options, struct process *out,
                                   struct detail *why);

/* To the process, or to all of its group. Nothing once it has ended. */
void process_signal(const struct process *process, int number);

/* Whether it has ended, without waiting. Where that is news, *status is what waitpid() says. */
bool process_has_ended(struct process *process, int *status);

/* fork() for a child that goes on in our code. No signal finds it with the handlers of libuv, which
 * would write to the parent's loop: in the child, where this returns 0, all that were handled have
 * their default action and all are blocked, until it sets a mask. *before: the one we had. */
pid_t process_fork(sigset_t *before);

#endif
