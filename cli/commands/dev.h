/* cli/commands/dev.h - empusa dev: an etcd of its own and serve, on loopback, until Ctrl-C. */
#ifndef CLI_COMMANDS_DEV_H
#define CLI_COMMANDS_DEV_H

struct call;

/* Returns the exit status. */
int dev_command(struct call *call);

#endif
