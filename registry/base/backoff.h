/* registry/base/backoff.h - how long to wait before something that failed is tried again.
 *
 * Twice as long after each failure, up to a bound, and of each pause the second half is left to
 * chance: what failed for many at the same moment is not tried by all of them at the same moment.
 *
 * Any unit of time. Threads: any. */
#ifndef REGISTRY_BASE_BACKOFF_H
#define REGISTRY_BASE_BACKOFF_H

#include <stdint.h>

/* The pause after `failures` in a row: `first` after one, doubled by each further one, at most
 * `max`; 0 after none. */
uint32_t backoff_pause(uint32_t first, uint32_t max, unsigned failures);

/* A time between half of the pause and all of it. */
uint32_t backoff_jitter(uint32_t pause);

#endif
