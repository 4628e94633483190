#include "privileges.h"

#include "cli/process/harden.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum status privileges_find(const char *name, struct privileges *out, struct detail *why)
{
    errno = 0;
    const struct passwd *entry = getpwnam(name);
    /* Of a user that does not exist some sources say nothing, others ENOENT (getpwnam(3)). */
    if (!entry && errno != 0 && errno != ENOENT)
        return detail_set(why, STATUS_SYSTEM, "%s", strerror(errno));
    if (!entry)
        return detail_set(why, STATUS_NOT_FOUND, "no such user");
    *out = (struct privileges){name, entry->pw_uid, entry->pw_gid};
    return STATUS_OK;
}

static bool privileges_is_user(const struct privileges *user)
{
    uid_t real, effective, saved;
    return getresuid(&real, &effective, &saved) == 0 && real == user->uid &&
           effective == user->uid && saved == user->uid;
}

/* Who is that user already and lacks the right cannot change the groups it was started with. */
static bool privileges_take_groups(const struct privileges *user)
{
    return initgroups(user->name, user->gid) == 0 || (errno == EPERM && privileges_is_user(user));
}

enum status privileges_become(const struct privileges *user, struct detail *why)
{
    /* It takes CAP_SETPCAP, which goes with root. */
    if (user->uid != 0)
        harden_bounding_set();
    /* Groups first: who is the user may not change them. All three IDs each, since a saved one may
     * be taken back. */
    if (!privileges_take_groups(user) || setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0)
        return detail_set(why, STATUS_SYSTEM, "cannot become that user: %s", strerror(errno));
    if (user->uid == 0)
        return STATUS_OK;
    enum status status = harden_capabilities(why);
    /* What was given up must not come back. */
    if (status == STATUS_OK && (setuid(0) == 0 || seteuid(0) == 0))
        status = detail_set(why, STATUS_SYSTEM, "privileges could not be dropped");
    return status;
}
