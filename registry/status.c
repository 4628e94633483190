#include "status.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *text;
    int exit_status;
} statuses[STATUS_COUNT] = {
#define STATUS_ROW(name, sentence, exit_status) [STATUS_##name] = {sentence, exit_status},
    STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

const char *status_text(enum status status)
{
    return (unsigned)status < STATUS_COUNT ? statuses[status].text : "unknown status";
}

int status_exit(enum status status)
{
    return (unsigned)status < STATUS_COUNT ? statuses[status].exit_status : 1;
}

enum status detail_set(struct detail *detail, enum status status, const char *format, ...)
{
    if (detail) {
        va_list args;
        va_start(args, format);
        vsnprintf(detail->text, sizeof(detail->text), format, args);
        va_end(args);
    }
    return status;
}

enum status detail_wrap(struct detail *detail, enum status status, const char *format, ...)
{
    if (!detail)
        return status;
    char prefix[sizeof(detail->text)];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    size_t len = strlen(prefix), room = sizeof(detail->text);
    if (len > room - 3)
        len = room - 3;
    size_t rest = strlen(detail->text);
    if (rest > room - 3 - len)
        rest = room - 3 - len;
    memmove(detail->text + len + 2, detail->text, rest);
    memcpy(detail->text, prefix, len);
    memcpy(detail->text + len, ": ", 2);
    detail->text[len + 2 + rest] = '\0';
    return status;
}
