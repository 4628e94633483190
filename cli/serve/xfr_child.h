/* cli/serve/xfr_child.h - zone transfers, each in a process of its own.
 *
 * A transfer has to show one state of the zone whole and may take long. The control thread, which
 * alone changes the zone, forks: the child's memory is a copy that stands still, and costs only the
 * pages that change meanwhile. The rejected alternatives are stopping all changes until a slow
 * client has read, and a second zone in memory.
 *
 * A client can hold only a part of the places, and those only while it reads: one network has two
 * at a time, who takes nothing for 10 s or less than 8 kB/s is cut off, as is everybody after ten
 * minutes, and those who have gone away while they waited are forgotten.
 *
 * Threads: xfr_child_take() from any, until server_stop() has returned; the rest from the control
 * thread. */
#ifndef CLI_SERVE_XFR_CHILD_H
#define CLI_SERVE_XFR_CHILD_H

#include "dns/transfer/axfr.h"
#include "registry/base/log.h"

#include <uv.h>

struct xfr_child;
struct zone;

#define XFR_CHILD_MAX       8  /* at the same time; further ones wait */
#define XFR_CHILD_QUEUE_MAX 64 /* that wait; further ones are answered SERVFAIL */
/* Of one client prefix (dns/wire/prefix.h), and waiting of one: further ones are refused. */
#define XFR_CHILD_CLIENT_MAX       2
#define XFR_CHILD_CLIENT_QUEUE_MAX 8

/* `zone` must outlive it. NO_MEMORY, SYSTEM. */
MUST_USE enum status xfr_child_start(uv_loop_t *loop, const struct zone *zone,
                                     const struct log *log, struct xfr_child **out);

/* As server_options.transfer, with the transfers as `arg`. */
void xfr_child_take(void *transfers, int fd, const struct axfr_request *request);

/* While held none begins: the zone is between two states. */
void xfr_child_hold(struct xfr_child *transfers, bool is_held);

/* While contact with etcd is lost, what is held may stay so for long: whoever waits for it is
 * refused. */
void xfr_child_break(struct xfr_child *transfers, bool is_broken);

/* Refuse those that wait and let those under way end by themselves. The handles close on the loop's
 * next turns, and all is freed then. NULL is accepted. */
void xfr_child_stop(struct xfr_child *transfers);

#endif
