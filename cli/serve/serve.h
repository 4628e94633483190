/* cli/serve/serve.h - empusa serve: the control thread that owns everything that changes.
 *
 * One libuv loop with the client of etcd, the follower of the tree, the zone that it feeds, the
 * hosts that are looked up, signals; the workers of dns/server/server.h answer meanwhile. */
#ifndef CLI_SERVE_SERVE_H
#define CLI_SERVE_SERVE_H

#include "cli/args/command.h"

/* Returns the exit status. */
int serve_command(struct call *call);

/* The same, listening where option `listen` says, inside another command: `ready` (may be NULL) is
 * called at the first complete load, and `step` (may be NULL) twice a second until it returns
 * false, which ends it with exit status 1. `hangup`: what SIGHUP does. */
enum serve_hangup { SERVE_HANGUP_RELOADS, SERVE_HANGUP_ENDS, SERVE_HANGUP_NOTHING };
struct serve_hooks {
    void (*ready)(void *arg, const char *addresses, const char *domain);
    bool (*step)(void *arg);
    enum serve_hangup hangup;
    void *arg;
};
int serve_run(struct call *call, enum option_id listen, const struct serve_hooks *hooks);

#endif
