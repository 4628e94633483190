#include "output.h"

#include "registry/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 8192

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "DEBUG",
    [LOG_LEVEL_INFO] = "INFO",
    [LOG_LEVEL_WARNING] = "WARNING",
    [LOG_LEVEL_ERROR] = "ERROR",
};

void output_init(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            /* Read-only, so that writing still fails. open() takes the lowest free number: fd. */
            int opened = open("/dev/null", O_RDONLY | O_NOCTTY);
            (void)opened;
        }
    }
    signal(SIGPIPE, SIG_IGN);
}

/* One write, so that lines of several threads do not mix. */
static void write_line(void *arg, enum log_level level, const char *text)
{
    const enum log_level *least = arg;
    if (level < *least)
        return;
    char line[LINE_SIZE];
    int len = snprintf(line, sizeof(line), "%s:root:%s\n", level_names[level], text);
    if (len < 0)
        return;
    size_t left = (size_t)len;
    if (left >= sizeof(line)) {
        left = sizeof(line) - 1;
        line[left - 1] = '\n';
    }
    const char *from = line;
    while (left > 0) {
        ssize_t written = write(STDERR_FILENO, from, left);
        if (written < 0 && errno != EINTR)
            return;
        if (written > 0) {
            from += written;
            left -= (size_t)written;
        }
    }
}

struct log output_log(enum log_level level)
{
    static enum log_level levels[] = {LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING,
                                      LOG_LEVEL_ERROR};
    return (struct log){write_line, &levels[level]};
}

/* After an earlier write of stdio's failed, errno is lost; a pipe still knows. */
static bool has_no_reader(int fd)
{
    struct pollfd asked = {.fd = fd, .events = POLLOUT};
    return poll(&asked, 1, 0) > 0 && (asked.revents & POLLERR);
}

int output_finish(const struct log *log, int exit_status)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit_status;
    int problem = errno;
    if (problem == EPIPE || has_no_reader(STDOUT_FILENO))
        return exit_status ? exit_status : 1;
    log_printf(log, LOG_LEVEL_ERROR, "standard output cannot be written: %s",
               problem ? strerror(problem) : "an earlier write failed");
    return exit_status ? exit_status : 1;
}

void output_json(FILE *file, const char *text, size_t len)
{
    fputc('"', file);
    size_t at = 0;
    while (at < len) {
        uint32_t character = 0;
        size_t octets = utf8_decode(text + at, len - at, &character);
        if (octets == 0)
            fputs("\xef\xbf\xbd", file); /* U+FFFD */
        else if (character == '"' || character == '\\')
            fprintf(file, "\\%c", (int)character);
        else if (utf8_is_control(character) || utf8_is_bidirectional(character))
            fprintf(file, "\\u%04x", (unsigned)character);
        else
            fwrite(text + at, 1, octets, file);
        at += octets ? octets : 1;
    }
    fputc('"', file);
}

void output_value(FILE *file, const char *text, size_t len)
{
    if (!isatty(fileno(file))) {
        fwrite(text, 1, len, file);
        return;
    }
    size_t at = 0;
    while (at < len) {
        char shown[2 * UTF8_SHOW_MAX + 1];
        uint32_t character;
        size_t octets = utf8_decode(text + at, len - at, &character);
        octets += octets == 0;
        fwrite(shown, 1, utf8_show(text + at, octets, shown, sizeof(shown)), file);
        at += octets;
    }
}
