/* registry/base/random.h - octets that nobody can guess, from the kernel.
 *
 * Threads: any. */
#ifndef REGISTRY_BASE_RANDOM_H
#define REGISTRY_BASE_RANDOM_H

#include "status.h"

/* Fill `out` with random octets. Blocks only until the kernel's generator is seeded, early at boot.
 * SYSTEM: there are none; *out is undefined then. */
MUST_USE enum status random_fill(void *out, size_t len);

/* A number below `limit` (> 0), for spreading things; not for secrets. Never blocks: 0 when there
 * are no random numbers, since all in a row is better than not at all. */
uint32_t random_below(uint32_t limit);

#endif
