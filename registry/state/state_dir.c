#include "state_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
