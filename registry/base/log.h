/* registry/base/log.h - messages of the libraries for the person who runs them.
 *
 * Libraries print nothing: they call the callback they were given. cli/ prints
 * `LEVEL:root:text` to standard error.
 *
 * Threads: the callback must be safe to call from any thread. */
#ifndef REGISTRY_BASE_LOG_H
#define REGISTRY_BASE_LOG_H

#include "status.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

struct log {
    /* `text` is one line without its LF; `kind` the format that it was made from: messages of one
     * kind differ in their values only. Both are borrowed for the call. */
    void (*write)(void *arg, enum log_level level, const char *kind, const char *text);
    void *arg;
};

/* Format (what is over 1,000 octets loses its middle) and write. `log` or log->write may be NULL:
 * nothing happens. Control characters, what is not UTF-8 and what turns the direction of writing
 * are written as utf8_show() shows them, so that what a stranger put into the registry cannot forge
 * a line. */
void log_printf(const struct log *log, enum log_level level, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
