/* dns/answer/dedup.h - what a message already holds, so that no record stands in it twice.
 *
 * A set of pairs of words in fixed memory, emptied by counting up an edition: the first few are
 * compared one by one, more go to a hash table. It never fills: once half full it says of
 * everything new that it has been seen.
 *
 * What is added was chosen by whoever registers (addresses, ports), so the hash has a secret: else
 * a few thousand of them, chosen to fall together, would make each answer quadratic.
 *
 * Threads: one to a thread. */
#ifndef DNS_ANSWER_DEDUP_H
#define DNS_ANSWER_DEDUP_H

#include "zones/name/name.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SEEN_FEW   32
#define SEEN_SLOTS 8192

struct seen_pair {
    uint64_t a, b;
};

struct seen {
    struct name_seed seed; /* its words are odd */
    uint32_t count;
    uint32_t edition;
    uint64_t filter[4]; /* a bit for each of the first few: most that are new are new at once */
    struct seen_pair few[SEEN_FEW];
    uint32_t editions[SEEN_SLOTS];
    struct seen_pair slots[SEEN_SLOTS];
};

/* Choose its secret; the rest is zeroed already. SYSTEM. */
MUST_USE enum status seen_init(struct seen *seen);

static inline void seen_clear(struct seen *seen)
{
    seen->count = 0;
    memset(seen->filter, 0, sizeof(seen->filter));
}

/* For seen_add(): more than a few, or perhaps there already. */
bool seen_add_slowly(struct seen *seen, uint64_t a, uint64_t b);

/* True when the pair has not been added since seen_clear(): then it is now. */
static inline bool seen_add(struct seen *seen, uint64_t a, uint64_t b)
{
    uint64_t hash = (a ^ b * seen->seed.word[0]) * seen->seed.word[1], bit = UINT64_C(1)
                                                                             << (hash >> 58);
    uint64_t *filter = &seen->filter[hash >> 56 & 3];
    if (seen->count >= SEEN_FEW || (*filter & bit))
        return seen_add_slowly(seen, a, b);
    *filter |= bit;
    seen->few[seen->count++] = (struct seen_pair){a, b};
    return true;
}

#endif
