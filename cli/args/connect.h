/* cli/args/connect.h - a client of etcd as the global options want it.
 *
 * Threads: as registry/etcd/etcd.h. */
#ifndef CLI_ARGS_CONNECT_H
#define CLI_ARGS_CONNECT_H

#include "option.h"

#include "registry/etcd/etcd.h"

/* OK: *out is the caller's, to be given to etcd_close(). BAD_INPUT and others with *why. */
MUST_USE enum status connect_open(uv_loop_t *loop, const struct options *options,
                                  const struct log *log, struct etcd **out, struct detail *why);

/* Read certificates and password again (SIGHUP). On failure the old ones stay. */
MUST_USE enum status connect_reload(struct etcd *etcd, const struct options *options,
                                    struct detail *why);

#endif
