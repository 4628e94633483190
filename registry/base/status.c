#include "status.h"

#include "utf8.h"

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

/* They stand together in STATUS_LIST. */
bool status_is_tls(enum status status)
{
    return status >= STATUS_NOT_PLAIN && status <= STATUS_CLIENT_CERT;
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
        utf8_format(detail->text, sizeof(detail->text), format, args);
        va_end(args);
    }
    return status;
}

enum status detail_wrap(struct detail *detail, enum status status, const char *format, ...)
{
    if (!detail)
        return status;
    /* Put together before it is cut, so that its middle goes and not the reason at its end. */
    char whole[2 * sizeof(detail->text) + 2];
    va_list args;
    va_start(args, format);
    utf8_format(whole, sizeof(detail->text), format, args);
    va_end(args);
    size_t len = strlen(whole), rest = strlen(detail->text);
    memcpy(whole + len, ": ", 2);
    memcpy(whole + len + 2, detail->text, rest);
    utf8_shorten(whole, len + 2 + rest, detail->text, sizeof(detail->text));
    return status;
}
