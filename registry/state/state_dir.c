#include "state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRY_NS    10000000
#define TRIES_MAX 500

enum status state_dir_check(const char *path, char **out, struct detail *why)
{
    struct stat st;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return detail_set(why, STATUS_SYSTEM, "%s%s", strerror(errno),
                          errno == ENOENT ? ": nor is the directory that it would be in" : "");
    if (stat(path, &st) != 0)
        return detail_set(why, STATUS_SYSTEM, "%s", strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return detail_set(why, STATUS_BAD_INPUT, "it is no directory");
    if (st.st_uid != geteuid())
        return detail_set(why, STATUS_BAD_INPUT, "it belongs to user %u, and this is user %u",
                          (unsigned)st.st_uid, (unsigned)geteuid());
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return detail_set(
            why, STATUS_BAD_INPUT,
            "others may enter it (mode %04o): it has to be one of its own, with mode 0700",
            (unsigned)st.st_mode & 07777);
    char *real = realpath(path, NULL);
    if (!real)
        return detail_set(why, errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_SYSTEM, "%s",
                          strerror(errno));
    *out = real;
    return STATUS_OK;
}

int state_dir_enter(const char *dir)
{
    static const struct timespec pause = {.tv_nsec = TRY_NS};
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; fd >= 0 && i < TRIES_MAX; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        nanosleep(&pause, NULL);
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

void state_dir_leave(int entered)
{
    if (entered < 0)
        return;
    flock(entered, LOCK_UN); /* a child may have been forked meanwhile, which has it, too */
    close(entered);
}

/* By a file without a name, which goes with its descriptor. */
bool state_dir_is_full(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT;
    close(fd);
    return false;
}
