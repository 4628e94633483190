/* cli/from.h - empusa service register --from FILE: register what `service list --format json`
 * printed. */
#ifndef CLI_FROM_H
#define CLI_FROM_H

struct call;

/* Returns the exit status. */
int from_run(struct call *call);

#endif
