/* cli/commands/outage.h - an outage: said once, tried again ever more slowly.
 *
 * Units: *_ms is milliseconds. Threads: the caller's memory. */
#ifndef CLI_COMMANDS_OUTAGE_H
#define CLI_COMMANDS_OUTAGE_H

#include "registry/base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct outage {
    uint32_t backoff_ms; /* 0: all is well */
    enum status said;    /* STATUS_OK: nothing */
};

/* Whether trying again cannot help as long as nothing was ever done. */
bool outage_is_permanent(enum status status);

/* Something failed. True when it is to be said: not another face of what was said last. */
bool outage_is_new(struct outage *outage, enum status status);

/* How long to wait before the next try: 0.25 s doubling to 1.5 s, of which a random half, so that
 * a thousand processes do not come back at the same moment. */
uint64_t outage_delay_ms(struct outage *outage);

/* All is well. True when it had not been. */
bool outage_end(struct outage *outage);

#endif
