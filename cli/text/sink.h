/* cli/text/sink.h - an inherited descriptor that is written without ever waiting for its reader.
 *
 * Its open file description is shared with the shell and with every process the shell started, so
 * O_NONBLOCK must not be set on it: they would meet EAGAIN. A pipe or a terminal is therefore
 * opened a second time, which gives a description of our own; a socket takes the flag with each
 * call; other files never wait for a reader. Where it may not be opened again (a terminal after
 * su(1)), poll() is asked before each piece: it can wait only if another process takes the room in
 * between.
 *
 * What is written is whole: of a line that was begun the rest is kept and goes first.
 *
 * Threads: the caller sees to it that one at a time uses a sink. */
#ifndef CLI_TEXT_SINK_H
#define CLI_TEXT_SINK_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SINK_MAX PIPE_BUF /* octets at a time: what a pipe takes whole or not at all */

struct sink {
    int fd;  /* the inherited one; never closed */
    int own; /* the same file, opened again; -1: not */
    mode_t type;
    dev_t device; /* which file the fields above are about: somebody may have put */
    ino_t inode;  /* another one in its place */
    bool is_known;
    char rest[SINK_MAX];
    size_t rest_len;
};

#define SINK(number)                                                                               \
    {                                                                                              \
        .fd = (number), .own = -1                                                                  \
    }

/* Open it again where that helps: to be called while we still may. */
void sink_prepare(struct sink *sink);

/* At most SINK_MAX octets. True: they are written, or their rest will be. False: nothing of them
 * is, and errno says why; EAGAIN: there is no room. */
bool sink_write(struct sink *sink, const char *text, size_t len);

/* Write the rest of what was begun. False: some is left, and errno says why. */
bool sink_flush(struct sink *sink);

/* Wait for room. False: none came in that time. */
bool sink_wait(struct sink *sink, int timeout_ms);

#endif
