/* cli/serve/privileges.h - run as another user once the ports are bound.
 *
 * Threads: before others are started. */
#ifndef CLI_SERVE_PRIVILEGES_H
#define CLI_SERVE_PRIVILEGES_H

#include "registry/base/status.h"

#include <sys/types.h>

struct user {
    const char *name;
    uid_t uid;
    gid_t gid;
};

/* NOT_FOUND: there is no such user. SYSTEM. */
MUST_USE enum status user_find(const char *name, struct user *out, struct detail *why);

/* Become that user, with the groups it is in and no capability: also where we are it already, as a
 * service manager may have given us some. Of root nothing is taken but its groups. SYSTEM. */
MUST_USE enum status user_become(const struct user *user, struct detail *why);

#endif
