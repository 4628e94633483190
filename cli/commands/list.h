/* cli/commands/list.h - empusa service list, switch list: tables for a person, JSON for a program.
 *
 * Each returns the exit status. */
#ifndef CLI_COMMANDS_LIST_H
#define CLI_COMMANDS_LIST_H

struct call;

int list_services(struct call *call);
int list_switches(struct call *call);

#endif
