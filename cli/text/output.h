/* cli/text/output.h - the two streams: messages to standard error, results to standard output.
 *
 * All that goes to standard error goes through here. A line is written whole, and what nobody reads
 * may not hold anybody up: a command that runs on never waits for its reader, others do for a few
 * seconds. A line for which there is no room, or whose write fails, is lost and counted; `N lines
 * lost` stands before the next one that is written. Of warnings and errors that differ in their
 * values only, ten are written a second; `N more of these: the last one` stands for the rest.
 *
 * Threads: the log may be written from any thread; standard output belongs to the main one. */
#ifndef CLI_TEXT_OUTPUT_H
#define CLI_TEXT_OUTPUT_H

#include "registry/base/log.h"

#include <stdio.h>
#include <uv.h>

/* Before anything is opened: descriptors 0-2 that are closed become unwritable ones, so that no
 * socket takes their place and receives what was meant for a person; SIGPIPE becomes an error of
 * write(). */
void output_init(void);

/* A log that writes `LEVEL:root:text` to standard error, from this level on. */
struct log output_log(enum log_level level);

/* A line to standard error as it is, without a level. */
void output_line(const char *text);
/* What is soon written over, to standard error, at most SINK_MAX octets: it may be left out. */
void output_progress(const char *text);

/* From now on nothing waits for a reader, until the process ends; once a second the loop says what
 * is due. It is not kept alive by that. */
void output_begin(uv_loop_t *loop);
/* Before the loop is closed; its next turns close the handle. */
void output_end(void);

/* In a program that runs on: to standard output, at most SINK_MAX octets, without waiting. False:
 * it could not be written, and errno says why. */
bool output_print(const char *text);

/* Lines of standard error since the start. */
struct output_counts {
    uint64_t lost;         /* for want of room, or their write failed */
    uint64_t rate_limited; /* "more of these" */
};
void output_count(struct output_counts *out);

/* The end of the process: say what is due. */
void output_exit(void);

/* The end of a command that printed: flush. Returns `exit_status`, or 1 where standard output could
 * not be written: with an ERROR line, but quietly when its reader is gone (EPIPE). */
int output_finish(const struct log *log, int exit_status);

/* Octets as they are; on a terminal as utf8_show() shows them. */
void output_value(FILE *file, const char *text, size_t len);

#endif
