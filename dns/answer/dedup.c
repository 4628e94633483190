#include "dedup.h"

static bool dedup_slots_add(struct dedup *dedup, uint64_t a, uint64_t b)
{
    /* It ends: half of the slots are free at least. */
    for (uint64_t i = name_hash_pair(&dedup->seed, a, b);; i++) {
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
    /* After 2^32 of them numbers come again: slots of the first would seem to be of this one. */
    for (size_t i = 0; i < DEDUP_SLOTS; i++)
        dedup->editions[i] = 0;
    dedup->edition = 1;
}

/* The first few are never moved to the table, so a pair is looked for among them first: most
 * messages have no more, and never touch its memory. */
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
