/* cli/args/config.h - a file that gives variables, as systemd reads an EnvironmentFile=: one file
 * can be both.
 *
 *   # a comment, and so is what begins with ';'
 *   EMPUSA_TREE_ROOT=/foo
 *   EMPUSA_ETCD_ENDPOINT="10.0.0.7:2379 10.0.0.8:2379"
 *
 * Blanks around name and value go, and so does one pair of quotes, " or ', around a value. No line
 * goes on in the next one; a backslash and a '$' are what they are; a '#' behind a value is part of
 * it. The last line of a name counts. Other names than ours are there for others.
 *
 * Threads: a struct config belongs to one thread. */
#ifndef CLI_ARGS_CONFIG_H
#define CLI_ARGS_CONFIG_H

#include "registry/base/file.h"

#define CONFIG_SIZE_MAX (1U << 20)

struct config_item {
    const char *name, *value;
    unsigned line; /* from 1 */
};

/* Empty when zeroed. */
struct config {
    struct file file; /* the items are in it */
    struct config_item *items;
    size_t count;
};

/* Read a file. BAD_INPUT: *why says which line is wrong, and how. TOO_LARGE: it is longer
 * than CONFIG_SIZE_MAX. SYSTEM: it cannot be read. NO_MEMORY. */
MUST_USE enum status config_read(const char *path, struct config *out, struct detail *why);
/* Overwrites first: there may be a password in it. */
void config_clear(struct config *config);

/* The last one of that name, or NULL; config may be NULL. */
const struct config_item *config_find(const struct config *config, const char *name);

#endif
