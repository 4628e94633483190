#include "log.h"

#include "utf8.h"

#include <string.h>

/* 1,000 octets and the NUL: if all of them have to be shown as \xNN, they still fit, with a level
 * before them, into what a pipe takes in one piece. */
#define LOG_TEXT_SIZE 1001

void log_printf(const struct log *log, enum log_level level, const char *format, ...)
{
    if (!log || !log->write)
        return;
    char text[LOG_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    utf8_format(text, sizeof(text), format, args);
    va_end(args);
    char shown[sizeof(text) * UTF8_SHOW_MAX];
    utf8_show(text, strlen(text), shown, sizeof(shown));
    log->write(log->arg, level, format, shown);
}
