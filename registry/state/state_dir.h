/* registry/state/state_dir.h - the directory of the copy on disk: only who owns it may look into
 * it.
 *
 * Threads: pure but for the directory. */
#ifndef REGISTRY_STATE_STATE_DIR_H
#define REGISTRY_STATE_STATE_DIR_H

#include "registry/base/status.h"

/* The directory's absolute path, without symbolic links, for free(). It is made where it alone is
 * missing. BAD_INPUT: it is no directory, or not ours alone. SYSTEM: it is not there, or cannot be
 * reached. NO_MEMORY. *why says the reason, without the path. */
MUST_USE enum status state_dir_check(const char *path, char **out, struct detail *why);

#endif
