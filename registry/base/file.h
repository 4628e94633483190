/* registry/base/file.h - a whole file, read once.
 *
 * What is checked must be what is used; a path that is opened twice may hold something else the
 * second time. Made for secrets: nothing of them stays in freed memory.
 *
 * Threads: pure but for reading the file. */
#ifndef REGISTRY_BASE_FILE_H
#define REGISTRY_BASE_FILE_H

#include "status.h"

struct file {
    char *data; /* malloc()ed, NUL-terminated; NULL: nothing was read */
    size_t len;
    bool is_open_to_others; /* everybody on this machine may read or change it */
};

/* Of at most `max` octets. may_wait false: a pipe is not waited for; it fails, or is empty where
 * nobody writes to it. *out is the caller's, to be given to file_clear(). SYSTEM, TOO_LARGE,
 * NO_MEMORY: *why says the reason, without the path. */
MUST_USE enum status file_read(const char *path, size_t max, bool may_wait, struct file *out,
                               struct detail *why);

/* Overwrite and free. */
void file_clear(struct file *file);

#endif
