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

/* Let nobody else in who enters it, too, while its files are opened or exchanged: what is no database cannot
 * be locked as one. Waits for as long as others take, but no longer than some seconds. Returns a descriptor,
 * to be given to state_dir_leave(); -1: it cannot be had, and the database's own lock must do. */
int state_dir_enter(const char *dir);
void state_dir_leave(int entered);

/* Whether no more files can be made in it, for want of room. SQLite has other words for that. */
bool state_dir_is_full(const char *dir);

#endif
