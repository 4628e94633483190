/* cli/commands/etcd_child.h - a private etcd as a child process, on free loopback ports.
 *
 * It is in a process group of its own, so that Ctrl-C reaches us alone and we stop it in order; it
 * dies with us whatever happens (PR_SET_PDEATHSIG). What it says goes to etcd.log beside its data.
 *
 * Threads: all calls from the main thread. */
#ifndef CLI_COMMANDS_ETCD_CHILD_H
#define CLI_COMMANDS_ETCD_CHILD_H

#include "cli/process/process.h"

#include <limits.h>

struct etcd_child {
    struct process process;
    int directory;            /* held locked, so that nobody else starts an etcd there; -1: not */
    uint16_t port;            /* where clients connect */
    char data[PATH_MAX - 64]; /* directory */
    bool is_temporary;        /* the directory goes with it */
};

/* Whether whoever waits has changed his mind: asked 20 times a second. */
typedef bool etcd_child_cancelled(void *arg);

/* Start it and wait until it takes connections, or until `cancelled` (may be NULL) says so.
 * data_dir NULL: a temporary directory; another must be ours, no link, and not in use.
 * NOT_FOUND: there is no etcd in PATH. SYSTEM. On failure nothing is left behind. */
MUST_USE enum status etcd_child_start(const char *data_dir, etcd_child_cancelled *cancelled,
                                      void *arg, struct etcd_child *out, struct detail *why);

/* False when it has ended by itself; *why says how, with the last line of its log. */
bool etcd_child_is_running(struct etcd_child *child, struct detail *why);

/* SIGTERM, after 5 s SIGKILL; remove the temporary directory. The caller sees to it that no signal
 * ends it meanwhile. */
void etcd_child_stop(struct etcd_child *child);

#endif
