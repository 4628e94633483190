/* registry/base/hash_set.h - a set of 64-bit words, or of pairs of them, that grows: what came
 * before.
 *
 * Open addressing in one block: a set is filled and dropped, and nothing is ever taken out of it.
 * Texts are kept as a hash of theirs (siphash.h): two of a million are taken for the same with a
 * probability of 3 in 100 million. Who can choose the elements, as anybody who registers can, must
 * not be able to choose where they go: the hash has to have a secret.
 *
 * Memory: 11 to 21 octets for each word of an element.
 *
 * Threads: a set belongs to one thread. */
#ifndef REGISTRY_BASE_HASH_SET_H
#define REGISTRY_BASE_HASH_SET_H

#include "status.h"

/* The hash of an element. */
typedef uint64_t hash_set_hash(const void *seed, const uint64_t *element);

/* All zero but for the first three is an empty set without memory. */
struct hash_set {
    hash_set_hash *hash; /* NULL: the elements are hashes themselves */
    const void *seed;    /* for it; must outlive the set */
    size_t words;        /* of an element: 1 or 2 */
    uint64_t *rows;      /* of zeros: empty */
    size_t capacity;     /* in elements; a power of two */
    size_t count;        /* in the rows */
    bool has_zero;       /* the element of zeros is in the set, but in no row */
};

/* NO_MEMORY: nothing changed. *is_new: the element was not in the set; now it is. */
MUST_USE enum status hash_set_add(struct hash_set *set, const uint64_t *element, bool *is_new);
/* Make it empty; keep its memory for the next elements while that is little. */
void hash_set_reset(struct hash_set *set);
/* And give its memory back. */
void hash_set_clear(struct hash_set *set);

#endif
