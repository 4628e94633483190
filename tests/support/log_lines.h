/* tests/support/log_lines.h - a log whose lines a test looks at: "LEVEL:text", each with its LF. */
#ifndef SUPPORT_LOG_LINES_H
#define SUPPORT_LOG_LINES_H

#include "registry/base/log.h"

#include <stdio.h>
#include <string.h>

struct log_lines {
    struct log log;
    size_t len;
    char text[8192]; /* NUL-terminated; what does not fit is lost */
};

/* Empty; *lines must stay where it is. */
void log_lines_init(struct log_lines *lines);

/* The lines since the last call; to be used before the next one is written. */
const char *log_lines_take(struct log_lines *lines);

#endif
