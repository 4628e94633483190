/* cli/commands/register_from.h - empusa service register --from FILE: register what `service list
 * --format json` printed. */
#ifndef CLI_COMMANDS_REGISTER_FROM_H
#define CLI_COMMANDS_REGISTER_FROM_H

struct call;

/* Returns the exit status. */
int register_from_run(struct call *call);

#endif
