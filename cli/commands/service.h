/* cli/commands/service.h - empusa service unregister, drain, undrain.
 *
 * Each returns the exit status. */
#ifndef CLI_COMMANDS_SERVICE_H
#define CLI_COMMANDS_SERVICE_H

struct call;

int service_unregister(struct call *call);
int service_drain(struct call *call);
int service_undrain(struct call *call);

#endif
