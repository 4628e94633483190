#include "dedup.h"

#include <stddef.h>

enum status seen_init(struct seen *seen)
{
    enum status status = name_seed_init(&seen->seed);
    for (unsigned i = 0; i < 3; i++)
        seen->seed.word[i] |= 1;
    return status;
}

/* Mixed twice: after one product keys at even distances would still lie so, and might fall in runs.
 */
static uint64_t hash_of(const struct seen *seen, uint64_t a, uint64_t b)
{
    const uint64_t *word = seen->seed.word;
    return name_mix(name_mix(a ^ word[0], b ^ word[1]), word[2]);
}

static bool slots_add(struct seen *seen, uint64_t a, uint64_t b)
{
    for (uint64_t i = hash_of(seen, a, b);; i++) {
        size_t slot = i % SEEN_SLOTS;
        if (seen->editions[slot] != seen->edition) {
            seen->editions[slot] = seen->edition;
            seen->slots[slot] = (struct seen_pair){a, b};
            return true;
        }
        if (seen->slots[slot].a == a && seen->slots[slot].b == b)
            return false;
    }
}

static void new_edition(struct seen *seen)
{
    if (++seen->edition != 0)
        return;
    for (size_t i = 0; i < SEEN_SLOTS; i++)
        seen->editions[i] = 0;
    seen->edition = 1;
}

bool seen_add_slowly(struct seen *seen, uint64_t a, uint64_t b)
{
    uint32_t few = seen->count < SEEN_FEW ? seen->count : SEEN_FEW;
    for (uint32_t i = 0; i < few; i++)
        if (seen->few[i].a == a && seen->few[i].b == b)
            return false;
    if (seen->count < SEEN_FEW) {
        seen->few[seen->count++] = (struct seen_pair){a, b};
        return true;
    }
    if (seen->count == SEEN_FEW) /* the first of this message that goes to the table */
        new_edition(seen);
    if (seen->count > SEEN_SLOTS / 2 || !slots_add(seen, a, b))
        return false;
    seen->count++;
    return true;
}
