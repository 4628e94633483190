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

static inline void log_lines_write(void *arg, enum log_level level, const char *kind,
                                   const char *text)
{
    static const char *const levels[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    struct log_lines *lines = arg;
    size_t space = sizeof(lines->text) - lines->len;
    (void)kind;
    int len = snprintf(lines->text + lines->len, space, "%s:%s\n", levels[level], text);
    if (len > 0 && (size_t)len < space)
        lines->len += (size_t)len;
}

/* Empty; *lines must stay where it is. */
static inline void log_lines_init(struct log_lines *lines)
{
    *lines = (struct log_lines){.log = {.write = log_lines_write, .arg = lines}};
}

/* The lines since the last call; to be used before the next one is written. */
static inline const char *log_lines_take(struct log_lines *lines)
{
    lines->text[lines->len] = '\0';
    lines->len = 0;
    return lines->text;
}

#endif
