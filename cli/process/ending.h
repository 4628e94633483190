/* cli/process/ending.h - the signals that ask a command to end: SIGTERM, SIGINT and, of a terminal
 * that was closed, SIGHUP; but not where it was ignored when the command began, as nohup has it.
 *
 * Threads: the loop's. */
#ifndef CLI_PROCESS_ENDING_H
#define CLI_PROCESS_ENDING_H

#include <stddef.h>
#include <uv.h>

#define ENDING_SIGNALS 3

/* To be called whenever one of them comes. */
typedef void ending_asked(void *arg);

struct ending {
    uv_signal_t signals[ENDING_SIGNALS];
    size_t count;
    ending_asked *asked;
    void *arg;
};

/* *ending must stay where it is until the loop has run after ending_stop(). */
void ending_start(struct ending *ending, uv_loop_t *loop, ending_asked *asked, void *arg);
void ending_stop(struct ending *ending);

#endif
