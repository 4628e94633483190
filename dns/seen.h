/* dns/seen.h - what a message already holds, so that no record stands in it twice.
 *
 * A set of pairs of words in fixed memory, emptied by counting up an edition: the first few are
 * compared one by one, more go to a hash table. It never fills: once half full it says of
 * everything new that it has been seen.
 *
 * Threads: one to a thread. */
#ifndef DNS_SEEN_H
#define DNS_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#define SEEN_FEW   8
#define SEEN_SLOTS 8192

struct seen_pair {
    uint64_t a, b;
};

struct seen {
    uint32_t count;
    uint32_t edition;
    struct seen_pair few[SEEN_FEW];
    uint32_t editions[SEEN_SLOTS];
    struct seen_pair slots[SEEN_SLOTS];
};

static inline void seen_clear(struct seen *seen)
{
    seen->count = 0;
}

/* True when the pair has not been added since seen_clear(): then it is now. */
bool seen_add(struct seen *seen, uint64_t a, uint64_t b);

#endif
