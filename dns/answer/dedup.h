/* dns/answer/dedup.h - what a message already holds, so that no record stands in it twice.
 *
 * A set of pairs of words in fixed memory, emptied by starting a new edition: the first few are
 * compared one by one, more go to a hash table. It never fills: once half full it takes every
 * further pair for a duplicate.
 *
 * What is added was chosen by whoever registers (addresses, ports), so the hash has a secret: else
 * a few thousand of them, chosen to fall together, would make each answer quadratic.
 *
 * Threads: one to a thread. */
#ifndef DNS_ANSWER_DEDUP_H
#define DNS_ANSWER_DEDUP_H

#include "zones/name/name.h"

#define DEDUP_FEW   32
#define DEDUP_SLOTS 8192

struct dedup_pair {
    uint64_t a, b;
};

struct dedup {
    struct name_seed seed; /* by name_seed_init(); all else begins as zeros */
    uint32_t count;
    uint32_t edition;
    uint64_t filter[4]; /* a bit for each of the first few: most that are new are new at once */
    struct dedup_pair few[DEDUP_FEW];
    uint32_t editions[DEDUP_SLOTS];
    struct dedup_pair slots[DEDUP_SLOTS];
};

static inline void dedup_clear(struct dedup *dedup)
{
    dedup->count = 0;
    memset(dedup->filter, 0, sizeof(dedup->filter));
}

/* For dedup_add(): more than a few, or perhaps there already. */
bool dedup_add_slowly(struct dedup *dedup, uint64_t a, uint64_t b);

/* True when the pair has not been added since dedup_clear(): then it is now. */
static inline bool dedup_add(struct dedup *dedup, uint64_t a, uint64_t b)
{
    uint64_t hash = (a ^ b * dedup->seed.word[0]) * dedup->seed.word[1], bit = UINT64_C(1)
                                                                               << (hash >> 58);
    uint64_t *filter = &dedup->filter[hash >> 56 & 3];
    if (dedup->count >= DEDUP_FEW || (*filter & bit))
        return dedup_add_slowly(dedup, a, b);
    *filter |= bit;
    dedup->few[dedup->count++] = (struct dedup_pair){a, b};
    return true;
}

#endif
