#include "log.h"

#include "utf8.h"

#include <string.h>

#define LOG_TEXT_SIZE 1025 /* 1 KiB and the NUL */

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
