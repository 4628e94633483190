/* cli/commands/switch.h - empusa switch set, get, remove, toggle, cas.
 *
 * Each returns the exit status. */
#ifndef CLI_COMMANDS_SWITCH_H
#define CLI_COMMANDS_SWITCH_H

struct call;

int switch_set(struct call *call);
int switch_get(struct call *call);
int switch_remove(struct call *call);
int switch_toggle(struct call *call);
int switch_cas(struct call *call);

#endif
