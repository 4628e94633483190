#include "user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum status user_find(const char *name, struct user *out, struct detail *why)
{
    errno = 0;
    const struct passwd *entry = getpwnam(name);
    if (!entry && errno != 0 && errno != ENOENT)
        return detail_set(why, STATUS_SYSTEM, "%s", strerror(errno));
    if (!entry)
        return detail_set(why, STATUS_NOT_FOUND, "no such user");
    *out = (struct user){name, entry->pw_uid, entry->pw_gid};
    return STATUS_OK;
}

enum status user_become(const struct user *user, struct detail *why)
{
    if (getuid() == user->uid && geteuid() == user->uid && getgid() == user->gid)
        return STATUS_OK;
    if (initgroups(user->name, user->gid) != 0 || setgid(user->gid) != 0 || setuid(user->uid) != 0)
        return detail_set(why, STATUS_SYSTEM, "cannot become that user: %s", strerror(errno));
    /* What was given up must not come back. */
    if (user->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
        return detail_set(why, STATUS_SYSTEM, "privileges could not be dropped");
    return STATUS_OK;
}
