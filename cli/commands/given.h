/* cli/commands/given.h - whether a text has come before.
 *
 * Of each text 8 octets are kept, a hash: two texts of a million are taken for the same with a
 * probability of 3 in 100 million. The hash has a secret, as the texts may be names that others
 * registered. Memory: 11 to 21 octets for each text.
 *
 * Threads: it belongs to one thread. */
#ifndef CLI_COMMANDS_GIVEN_H
#define CLI_COMMANDS_GIVEN_H

#include "registry/base/status.h"
#include "zones/name/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Empty when zeroed. */
struct given {
    uint64_t *hashes; /* open addressing; 0 = free */
    size_t count, size;
    struct name_seed seed; /* chosen with the first */
};

/* *is_new: it was added, it had not come before. NO_MEMORY, SYSTEM. */
MUST_USE enum status given_add(struct given *given, const char *text, size_t len, bool *is_new);
void given_clear(struct given *given);

#endif
