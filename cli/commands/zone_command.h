/* cli/commands/zone_command.h - empusa zone: the whole zone as a master file.
 *
 * Returns the exit status. */
#ifndef CLI_COMMANDS_ZONE_COMMAND_H
#define CLI_COMMANDS_ZONE_COMMAND_H

struct call;

int zone_command(struct call *call);

#endif
