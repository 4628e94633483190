#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 64 /* of a terminal that may say "room" and mean little: a longer write would wait */

static void sink_forget(struct sink *sink)
{
    if (sink->own >= 0)
        close(sink->own);
    sink->own = -1;
    sink->is_known = false;
    sink->rest_len = 0;
}

/* No O_APPEND or file position is lost by it: a pipe and a terminal have none. */
static void sink_open_again(struct sink *sink)
{
    char path[32];
    if (!S_ISFIFO(sink->type) && !(S_ISCHR(sink->type) && isatty(sink->fd)))
        return;
    /* proc(5): opening the link opens the file anew, while dup() would share the description. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", sink->fd);
    sink->own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void sink_prepare(struct sink *sink)
{
    struct stat now;
    int problem = errno;
    if (fstat(sink->fd, &now) != 0) {
        sink_forget(sink);
        return;
    }
    /* Looked at with each write, as the number may mean another file by now; what is left of a line
     * for the one before must not go there. */
    if (sink->is_known && now.st_dev == sink->device && now.st_ino == sink->inode)
        return;
    sink_forget(sink);
    sink->type = now.st_mode;
    sink->device = now.st_dev;
    sink->inode = now.st_ino;
    sink->is_known = true;
    sink_open_again(sink);
    errno = problem;
}

bool sink_wait(struct sink *sink, int timeout_ms)
{
    struct pollfd asked = {.fd = sink->own >= 0 ? sink->own : sink->fd, .events = POLLOUT};
    return poll(&asked, 1, timeout_ms) > 0;
}

/* What a pipe, a terminal or a socket has no room for waits; a file takes what it gets. */
static ssize_t sink_write_some(struct sink *sink, const char *text, size_t len)
{
    /* MSG_DONTWAIT and MSG_NOSIGNAL are of this call alone, so a socket need not be opened again,
     * which it cannot be. */
    if (S_ISSOCK(sink->type))
        return send(sink->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sink->own >= 0)
        return write(sink->own, text, len);
    if (S_ISFIFO(sink->type) || S_ISCHR(sink->type)) {
        if (!sink_wait(sink, 0)) {
            errno = EAGAIN;
            return -1;
        }
        if (S_ISCHR(sink->type) && len > PIECE)
            len = PIECE;
    }
    return write(sink->fd, text, len);
}

/* As much as goes; *done says how much. */
static bool sink_write_all(struct sink *sink, const char *text, size_t len, size_t *done)
{
    *done = 0;
    while (*done < len) {
        ssize_t written = sink_write_some(sink, text + *done, len - *done);
        if (written > 0)
            *done += (size_t)written;
        else if (written < 0 && errno != EINTR)
            return false;
    }
    return true;
}

bool sink_flush(struct sink *sink)
{
    size_t done;
    sink_prepare(sink);
    bool is_whole = sink_write_all(sink, sink->rest, sink->rest_len, &done);
    memmove(sink->rest, sink->rest + done, sink->rest_len - done);
    sink->rest_len -= done;
    return is_whole;
}

bool sink_write(struct sink *sink, const char *text, size_t len)
{
    size_t done;
    if (!sink_flush(sink))
        return false;
    /* Once a part of it is out, the line counts as written: its rest goes before all else. */
    if (!sink_write_all(sink, text, len, &done) && done == 0)
        return false;
    sink->rest_len = len - done;
    memcpy(sink->rest, text + done, sink->rest_len);
    return true;
}
