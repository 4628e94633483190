#include "log_lines.h"

#include <stdio.h>

static void log_lines_write(void *arg, enum log_level level, const char *kind, const char *text)
{
    static const char *const levels[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    struct log_lines *lines = arg;
    size_t space = sizeof(lines->text) - lines->len;
    (void)kind;
    int len = snprintf(lines->text + lines->len, space, "%s:%s\n", levels[level], text);
    if (len > 0 && (size_t)len < space)
        lines->len += (size_t)len;
}

void log_lines_init(struct log_lines *lines)
{
    *lines = (struct log_lines){.log = {.write = log_lines_write, .arg = lines}};
}

const char *log_lines_take(struct log_lines *lines)
{
    lines->text[lines->len] = '\0';
    lines->len = 0;
    return lines->text;
}
