/* registry/base/random.h - octets that nobody can guess, from the kernel.
 *
 * Threads: any. */
#ifndef REGISTRY_BASE_RANDOM_H
#define REGISTRY_BASE_RANDOM_H

#include "status.h"

#include <stddef.h>

/* Fill `out` with random octets. Blocks only until the kernel's generator is seeded, early at boot.
 * SYSTEM: there are none; *out is undefined then. */
MUST_USE enum status random_fill(void *out, size_t len);

#endif
