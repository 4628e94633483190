/* cli/commands/commands.h - what the rows of the commands run. Each returns the exit status. */
#ifndef CLI_COMMANDS_COMMANDS_H
#define CLI_COMMANDS_COMMANDS_H

struct call;

/* dev: an etcd of its own and serve, on loopback, until Ctrl-C. */
int dev_command(struct call *call);

/* service list, switch list: tables for a person, JSON for a program. */
int list_services(struct call *call);
int list_switches(struct call *call);

/* service register: once, or to stay and keep the entry until a signal. registry/keeper.h keeps it;
 * here its events become lines, and SIGTERM, SIGINT and, unless it is ignored, SIGHUP end it. A
 * second signal does not wait for etcd. */
int register_run(struct call *call);

/* service register --from FILE: register what `service list --format json` printed. */
int register_from_run(struct call *call);

int service_unregister(struct call *call);
int service_drain(struct call *call);
int service_undrain(struct call *call);

int switch_set(struct call *call);
int switch_get(struct call *call);
int switch_remove(struct call *call);
int switch_toggle(struct call *call);
int switch_cas(struct call *call);

/* zone: the whole zone as a master file. */
int zone_command(struct call *call);

#endif
