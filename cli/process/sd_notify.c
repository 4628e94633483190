#include "sd_notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_MS     200
#define PAUSE_MIN_MS 10 /* a manager that wants more would get nothing else done */
#define USEC_PER_MS  1000

/* '@' stands for the NUL of an abstract name. Neither kind needs a NUL at its end: what counts is
 * the length (unix(7)). */
static bool sd_notify_set_address(struct sd_notify *notify, const char *path)
{
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || (path[0] != '/' && path[0] != '@') || len > sizeof(notify->address.sun_path))
        return false;
    notify->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(notify->address.sun_path, path, len);
    if (path[0] == '@')
        notify->address.sun_path[0] = '\0';
    notify->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

/* False: there is no room now. A queue that is full gets empty again; other errors stay, or end when
 * the manager has begun anew, and what it missed then is told by the next sign of life. */
static bool sd_notify_send(const struct sd_notify *notify, const char *state)
{
    return notify->fd < 0 ||
           sendto(notify->fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                  (const struct sockaddr *)&notify->address, notify->address_len) >= 0 ||
           (errno != EAGAIN && errno != ENOBUFS);
}

/* 0: none are wanted, or not from us: who has started us for somebody else may have left his own
 * variables. */
static uint64_t sd_notify_pause_ms(void)
{
    const char *time = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
    char pid[24];
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    if (!time || (whose && strcmp(whose, pid) != 0))
        return 0;
    for (const char *c = time; *c; c++)
        if (*c < '0' || *c > '9')
            return 0;
    errno = 0;
    uint64_t usec = strtoull(time, NULL, 10);
    if (usec == 0 || errno != 0)
        return 0;
    uint64_t pause_ms = usec / 2 / USEC_PER_MS;
    return pause_ms > PAUSE_MIN_MS ? pause_ms : PAUSE_MIN_MS;
}

static void sd_notify_on_alive(uv_timer_t *timer)
{
    const struct sd_notify *notify = timer->data;
    uint64_t pause_ms = notify->pause_ms;
    /* Half of the time is left: not to be spent on waiting for the other half's end. */
    if (!sd_notify_send(notify, "WATCHDOG=1") && pause_ms > AGAIN_MS)
        pause_ms = AGAIN_MS;
    uv_timer_start(timer, sd_notify_on_alive, pause_ms, 0);
}

static void sd_notify_on_ready(uv_timer_t *timer)
{
    if (!sd_notify_send(timer->data, "READY=1"))
        uv_timer_start(timer, sd_notify_on_ready, AGAIN_MS, 0);
}

void sd_notify_start(struct sd_notify *notify, uv_loop_t *loop)
{
    *notify = (struct sd_notify){.fd = -1};
    uv_timer_init(loop, &notify->ready);
    uv_timer_init(loop, &notify->alive);
    notify->ready.data = notify->alive.data = notify;
    if (sd_notify_set_address(notify, getenv("NOTIFY_SOCKET")))
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    notify->pause_ms = notify->fd >= 0 ? sd_notify_pause_ms() : 0;
    if (notify->pause_ms > 0)
        uv_timer_start(&notify->alive, sd_notify_on_alive, 0, 0);
}

void sd_notify_ready(struct sd_notify *notify)
{
    sd_notify_on_ready(&notify->ready);
}

void sd_notify_stopping(struct sd_notify *notify)
{
    (void)sd_notify_send(notify, "STOPPING=1");
}

void sd_notify_stop(struct sd_notify *notify)
{
    uv_close((uv_handle_t *)&notify->ready, NULL);
    uv_close((uv_handle_t *)&notify->alive, NULL);
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}
