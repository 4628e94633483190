/* zones/store/pairs.h - a set of pairs of words that grows: what an RRset already holds.
 *
 * The words are chosen by whoever registers, so the hash has the zone's secret.
 *
 * Memory: 32 octets for each pair at most, kept for the next RRset while it is little.
 *
 * Threads: the caller's memory. */
#ifndef ZONES_STORE_PAIRS_H
#define ZONES_STORE_PAIRS_H

#include "registry/base/status.h"
#include "zones/name/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pairs_row {
    uint64_t a, b;
};

/* All zero but for the seed is an empty set without memory. */
struct pairs {
    const struct name_seed *seed;
    struct pairs_row *rows; /* a power of two of them; of zeros: empty */
    size_t room, count;
    bool has_zero; /* the pair of zeros is in the set */
};

/* NO_MEMORY: nothing changed. *is_new: the pair was not in the set; now it is. */
MUST_USE enum status pairs_add(struct pairs *pairs, uint64_t a, uint64_t b, bool *is_new);
/* Make it empty. */
void pairs_reset(struct pairs *pairs);
/* And give its memory back. */
void pairs_clear(struct pairs *pairs);

#endif
