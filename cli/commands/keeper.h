/* cli/commands/keeper.h - `service register --refresh-every`: keep one entry in the registry until
 * a signal.
 *
 * At every beat the lease is renewed and the entry is compared with what it should be, by a
 * transaction and not by a watch, which would cost etcd 100 kB a process. What vanished is put
 * back; what another process changed is put back with a WARNING, but for a `state` that `service
 * drain` changed: that stays. A lost lease is granted anew. Trouble with etcd is said once, and
 * tried again with jittered backoff, until all is well, which is said, too. SIGTERM and SIGINT end
 * it, and SIGHUP unless it is ignored: the entry is deleted where it is still our own, and the
 * lease revoked, within KEEPER_LEAVE_MS. */
#ifndef CLI_COMMANDS_KEEPER_H
#define CLI_COMMANDS_KEEPER_H

#include "cli/args/session.h"
#include "registration.h"

#define KEEPER_LEAVE_MS 5000

/* Returns the exit status. The session's client is closed then: session_close() comes next. */
int keeper_run(struct session *session, const struct registration *registration);

#endif
