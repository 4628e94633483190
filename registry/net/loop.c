#include "loop.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

static void loop_on_event(uv_poll_t *poll, int status, int events)
{
    (void)poll, (void)status, (void)events;
}

/* One with the highest number that may be; below 0: there is none. */
static int loop_open_highest(int count)
{
    int any = eventfd(0, EFD_CLOEXEC);
    if (any < 0)
        return -1;
    int highest = fcntl(any, F_DUPFD_CLOEXEC, count - 1);
    close(any);
    return highest;
}

/* To watch it makes the array long enough; it stays so. */
static int loop_watch_once(uv_loop_t *loop, int fd)
{
    uv_poll_t poll;
    int error = uv_poll_init(loop, &poll, fd);
    if (error != 0)
        return error;
    error = uv_poll_start(&poll, UV_READABLE, loop_on_event);
    uv_close((uv_handle_t *)&poll, NULL);
    (void)uv_run(loop, UV_RUN_NOWAIT); /* it has no other handle: until this one is closed */
    return error;
}

int loop_init(uv_loop_t *loop)
{
    struct rlimit limit = {.rlim_cur = LOOP_DESCRIPTORS_MAX};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    int count = limit.rlim_cur < LOOP_DESCRIPTORS_MAX ? (int)limit.rlim_cur : LOOP_DESCRIPTORS_MAX;
    /* libuv would abort: so it is tried whether there is that much, twice as libuv rounds up. */
    void *room = malloc(2 * (size_t)count * sizeof(void *));
    if (!room)
        return UV_ENOMEM;
    free(room);
    int error = uv_loop_init(loop);
    int fd = error == 0 ? loop_open_highest(count) : -1;
    if (fd < 0)
        return error;
    error = loop_watch_once(loop, fd);
    close(fd);
    if (error != 0)
        uv_loop_close(loop);
    return error;
}
