/* tests/support/cli_run.h - command lines run in this process, with the fake store as their etcd.
 *
 * The store is served by a thread of its own, and only while a command runs: between two of them a
 * test may read and change run->store. The tree root is /foo. */
#ifndef SUPPORT_CLI_RUN_H
#define SUPPORT_CLI_RUN_H

#include "cli/args/command.h"
#include "fake_store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A large object: keep it in static memory. */
struct cli_run {
    struct fake_store store;
    uv_thread_t thread;
    uv_async_t stop;
    bool is_stopped;
    char *out, *err; /* of the last command, owned by this */
};

/* An empty store; the environment has nothing but where etcd and the tree are. */
void cli_run_open(struct cli_run *run);

/* Everything; fails the test where a handle was left open. */
void cli_run_close(struct cli_run *run);

/* Serve the store from now on; until then. For a test that runs less than a command line. */
void cli_run_begin_serving(struct cli_run *run);
void cli_run_end_serving(struct cli_run *run);

/* Run what stands on `line` behind "empusa": words between single blanks. Returns the exit status;
 * run->out and run->err are what it wrote. */
int cli_run(struct cli_run *run, const char *line);

/* The same, and fail the test unless all three are as given. */
#define cli_run_expect(run, line, exit_status, out, err)                                           \
    cli_run_check(run, line, exit_status, out, err, __FILE__, __LINE__)
void cli_run_check(struct cli_run *run, const char *line, int exit_status, const char *out,
                   const char *err, const char *file, int number);

/* Options as the parser sets them that lead to the store, for a test of less than a command line. options_clear() frees
 * them. */
void cli_run_set_options(const struct cli_run *run, struct options *options, const char *timeout_s,
                         const char *root);

/* The value that the key has; "" where there is none. */
const char *cli_run_value(struct cli_run *run, const char *key);

#endif
