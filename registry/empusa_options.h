/* registry/empusa_options.h - how libempusa reaches etcd: from a program's options and EMPUSA_*
 * variables.
 *
 * Threads: reads the environment, as getenv() does. */
#ifndef REGISTRY_EMPUSA_OPTIONS_H
#define REGISTRY_EMPUSA_OPTIONS_H

#include "empusa.h"
#include "key.h"
#include "registry/base/status.h"
#include "registry/etcd/etcd.h"

/* Complete *options from the environment, and make a client of etcd and the tree's root of it.
 * Blocks for reading files. OK: *etcd is to be given to etcd_close(). BAD_INPUT, NO_MEMORY, SYSTEM:
 * *field (a constant, or NULL) is wrong, or its variable, for the reason *why. */
MUST_USE enum status empusa_options_connect(struct empusa_options *options, uv_loop_t *loop,
                                            struct key_root *root, struct etcd **etcd,
                                            const char **field, struct detail *why);

#endif
