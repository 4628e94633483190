#include "hash_set.h"

#include <stdlib.h>
#include <string.h>

#define HASH_SET_FIRST 16
#define HASH_SET_KEPT  1024 /* more is cheaper to free than to empty */

/* Of an element, in octets. */
static size_t hash_set_size(const struct hash_set *set)
{
    return set->words * sizeof(*set->rows);
}

/* An element has one word or two: the first and the last are all of it. */
static bool hash_set_is_zero(const struct hash_set *set, const uint64_t *element)
{
    return element[0] == 0 && element[set->words - 1] == 0;
}

/* Where the element is, or is to go. A quarter of the rows are empty: the search ends. */
static uint64_t *hash_set_place(const struct hash_set *set, const uint64_t *element)
{
    uint64_t at = set->hash ? set->hash(set->seed, element) : element[0];
    for (;; at++) {
        uint64_t *row = &set->rows[(at & (set->capacity - 1)) * set->words];
        if (hash_set_is_zero(set, row) || memcmp(row, element, hash_set_size(set)) == 0)
            return row;
    }
}

static enum status hash_set_grow(struct hash_set *set)
{
    struct hash_set larger = *set;
    larger.capacity = set->capacity ? set->capacity * 2 : HASH_SET_FIRST;
    larger.rows = calloc(larger.capacity, hash_set_size(set));
    if (!larger.rows)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < set->capacity; i++) {
        const uint64_t *row = &set->rows[i * set->words];
        if (!hash_set_is_zero(set, row))
            memcpy(hash_set_place(&larger, row), row, hash_set_size(set));
    }
    free(set->rows);
    set->rows = larger.rows;
    set->capacity = larger.capacity;
    return STATUS_OK;
}

enum status hash_set_add(struct hash_set *set, const uint64_t *element, bool *is_new)
{
    /* A row of zeros is an empty one, so this element has a flag instead of a row. */
    if (hash_set_is_zero(set, element)) {
        *is_new = !set->has_zero;
        set->has_zero = true;
        return STATUS_OK;
    }
    /* A quarter stays empty: linear probing gets slow when rows are nearly full, and needs an empty
     * one to end at. */
    enum status status = set->count >= set->capacity / 4 * 3 ? hash_set_grow(set) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    uint64_t *row = hash_set_place(set, element);
    *is_new = hash_set_is_zero(set, row);
    set->count += *is_new;
    memcpy(row, element, hash_set_size(set));
    return STATUS_OK;
}

void hash_set_reset(struct hash_set *set)
{
    if (set->capacity > HASH_SET_KEPT)
        hash_set_clear(set);
    else if (set->count > 0)
        memset(set->rows, 0, set->capacity * hash_set_size(set));
    set->count = 0;
    set->has_zero = false;
}

void hash_set_clear(struct hash_set *set)
{
    free(set->rows);
    *set = (struct hash_set){.hash = set->hash, .seed = set->seed, .words = set->words};
}
