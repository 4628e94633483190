#include "sd_notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define AGAIN_MS 200

bool sd_notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    /* '@' stands for the NUL of an abstract name. Neither kind needs a NUL at its end: what counts
     * is the length (unix(7)). */
    if (len < 2 || (path[0] != '/' && path[0] != '@') || len > sizeof(address.sun_path))
        return true;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* abstract */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    /* A manager that does not read may not hold us up. A full queue gets empty again; other errors
     * stay, and trying again would be in vain. */
    bool is_full = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&address, size) < 0 &&
                   (errno == EAGAIN || errno == ENOBUFS);
    close(fd);
    return !is_full;
}

void sd_notify_ready(uv_timer_t *timer)
{
    if (!sd_notify_send("READY=1"))
        uv_timer_start(timer, sd_notify_ready, AGAIN_MS, 0);
}
