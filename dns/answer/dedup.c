#include "dedup.h"

#include <stddef.h>

enum status dedup_init(struct dedup *dedup)
{
    enum status status = name_seed_init(&dedup->seed);
    for (unsigned i = 0; i < 3; i++)
        dedup->seed.word[i] |= 1;
    return status;
}

/* Mixed twice: after one product keys at even distances would still lie so, and might fall in runs.
 */
static uint64_t dedup_hash_of(const struct dedup *dedup, uint64_t a, uint64_t b)
{
    const uint64_t *word = dedup->seed.word;
    return name_mix(name_mix(a ^ word[0], b ^ word[1]), word[2]);
}

static bool dedup_slots_add(struct dedup *dedup, uint64_t a, uint64_t b)
{
    for (uint64_t i = dedup_hash_of(dedup, a, b);; i++) {
        size_t slot = i % DEDUP_SLOTS;
        if (dedup->editions[slot] != dedup->edition) {
            dedup->editions[slot] = dedup->edition;
            dedup->slots[slot] = (struct dedup_pair){a, b};
            return true;
        }
        if (dedup->slots[slot].a == a && dedup->slots[slot].b == b)
            return false;
    }
}

static void dedup_new_edition(struct dedup *dedup)
{
    if (++dedup->edition != 0)
        return;
    for (size_t i = 0; i < DEDUP_SLOTS; i++)
        dedup->editions[i] = 0;
    dedup->edition = 1;
}

bool dedup_add_slowly(struct dedup *dedup, uint64_t a, uint64_t b)
{
    uint32_t few = dedup->count < DEDUP_FEW ? dedup->count : DEDUP_FEW;
    for (uint32_t i = 0; i < few; i++)
        if (dedup->few[i].a == a && dedup->few[i].b == b)
            return false;
    if (dedup->count < DEDUP_FEW) {
        dedup->few[dedup->count++] = (struct dedup_pair){a, b};
        return true;
    }
    if (dedup->count == DEDUP_FEW) /* the first of this message that goes to the table */
        dedup_new_edition(dedup);
    if (dedup->count > DEDUP_SLOTS / 2 || !dedup_slots_add(dedup, a, b))
        return false;
    dedup->count++;
    return true;
}
