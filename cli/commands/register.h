/* cli/register.h - `service register`: once, or to stay and keep the entry until a signal.
 *
 * registry/keeper.h keeps it; here its events become lines, and SIGTERM, SIGINT and, unless it is
 * ignored, SIGHUP end it. A second signal does not wait for etcd. */
#ifndef CLI_REGISTER_H
#define CLI_REGISTER_H

struct call;

/* Returns the exit status. */
int register_run(struct call *call);

#endif
