/* cli/process/sd_notify.h - tell the service manager how this process is (sd_notify(3)): that it is
 * ready, that it ends, and all the while that its loop turns.
 *
 * The manager says where in $NOTIFY_SOCKET, and in $WATCHDOG_USEC and $WATCHDOG_PID how long it
 * takes this process for alive without a word; without them nothing is sent. The word comes from a
 * timer of the loop, twice in that time: a loop that is stuck misses it, and the manager starts the
 * process again.
 *
 * Nothing here waits: what a manager does not read is sent again later. The socket is opened at the
 * beginning, as there may be no descriptor left later.
 *
 * Threads: the loop's. */
#ifndef CLI_PROCESS_SD_NOTIFY_H
#define CLI_PROCESS_SD_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>
#include <uv.h>

struct sd_notify {
    int fd; /* -1: nobody is to be told */
    struct sockaddr_un address;
    socklen_t address_len;
    uint64_t pause_ms; /* between two signs of life; 0: none are wanted */
    uv_timer_t ready, alive;
};

/* Read the variables, and begin with the signs of life. *notify must stay where it is until the
 * loop has run after sd_notify_stop(). */
void sd_notify_start(struct sd_notify *notify, uv_loop_t *loop);

/* "READY=1", again and again until there was room for it. */
void sd_notify_ready(struct sd_notify *notify);

/* "STOPPING=1": it ends by its own decision, or because it was asked to. */
void sd_notify_stopping(struct sd_notify *notify);

/* No sign of life comes any more. */
void sd_notify_stop(struct sd_notify *notify);

#endif
