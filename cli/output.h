/* cli/output.h - the two streams: messages to standard error, results to standard output.
 *
 * Threads: the log may be written from any thread; standard output belongs to the main one. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "registry/log.h"

#include <stddef.h>
#include <stdio.h>

/* Before anything is opened: descriptors 0-2 that are closed become unwritable ones, so that no
 * socket takes their place and receives what was meant for a person; SIGPIPE becomes an error of
 * write(). */
void output_init(void);

/* A log that writes `LEVEL:root:text` to standard error, from this level on. */
struct log output_log(enum log_level level);

/* The end of a command that printed: flush. Returns `exit_status`, or 1 where standard output could
 * not be written: with an ERROR line, but quietly when its reader is gone (EPIPE). */
int output_finish(const struct log *log, int exit_status);

/* A JSON string; what is not UTF-8 becomes U+FFFD. Control characters, those above 0x7e, too, and
 * bidirectional ones are escaped: a terminal would act on them. */
void output_json(FILE *file, const char *text, size_t len);

/* Octets as they are; on a terminal as utf8_show() shows them. */
void output_value(FILE *file, const char *text, size_t len);

#endif
