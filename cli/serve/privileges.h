/* cli/serve/privileges.h - run as another user once the ports are bound.
 *
 * Threads: before others are started. */
#ifndef CLI_SERVE_PRIVILEGES_H
#define CLI_SERVE_PRIVILEGES_H

#include "registry/base/status.h"

#include <sys/types.h>

struct privileges {
    const char *name;
    uid_t uid;
    gid_t gid;
};

/* NOT_FOUND: there is no such user. SYSTEM. */
MUST_USE enum status privileges_find(const char *name, struct privileges *out, struct detail *why);

/* Become that user, with the groups it is in and no capability: also where we are it already, as a
 * service manager may have given us some. Of root nothing is taken but its groups. SYSTEM. */
MUST_USE enum status privileges_become(const struct privileges *user, struct detail *why);

#endif
