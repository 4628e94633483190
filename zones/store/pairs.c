#include "pairs.h"

#include <stdlib.h>

#define ROOM_FIRST 16
#define ROOM_KEPT  1024 /* more is cheaper to free than to empty */

static size_t pairs_slot_of(const struct pairs *pairs, uint64_t a, uint64_t b)
{
    const uint64_t *word = pairs->seed->word;
    size_t i = (size_t)name_mix(name_mix(a ^ word[0], b ^ word[1]), word[2] | 1);
    for (;; i++) {
        const struct pairs_row *row = &pairs->rows[i & (pairs->room - 1)];
        if ((row->a == a && row->b == b) || (row->a == 0 && row->b == 0))
            return i & (pairs->room - 1);
    }
}

static enum status pairs_grow(struct pairs *pairs)
{
    struct pairs larger = {.seed = pairs->seed, .room = pairs->room ? pairs->room * 2 : ROOM_FIRST};
    larger.rows = calloc(larger.room, sizeof(*larger.rows));
    if (!larger.rows)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < pairs->room; i++) {
        struct pairs_row row = pairs->rows[i];
        if (row.a != 0 || row.b != 0)
            larger.rows[pairs_slot_of(&larger, row.a, row.b)] = row;
    }
    free(pairs->rows);
    pairs->rows = larger.rows;
    pairs->room = larger.room;
    return STATUS_OK;
}

enum status pairs_add(struct pairs *pairs, uint64_t a, uint64_t b, bool *is_new)
{
    if (a == 0 && b == 0) {
        *is_new = !pairs->has_zero;
        pairs->has_zero = true;
        return STATUS_OK;
    }
    if (pairs->count * 2 >= pairs->room) {
        enum status status = pairs_grow(pairs);
        if (status != STATUS_OK)
            return status;
    }
    struct pairs_row *row = &pairs->rows[pairs_slot_of(pairs, a, b)];
    *is_new = row->a == 0 && row->b == 0;
    pairs->count += *is_new;
    *row = (struct pairs_row){a, b};
    return STATUS_OK;
}

void pairs_reset(struct pairs *pairs)
{
    if (pairs->room > ROOM_KEPT)
        pairs_clear(pairs);
    else if (pairs->count > 0)
        memset(pairs->rows, 0, pairs->room * sizeof(*pairs->rows));
    pairs->count = 0;
    pairs->has_zero = false;
}

void pairs_clear(struct pairs *pairs)
{
    free(pairs->rows);
    *pairs = (struct pairs){.seed = pairs->seed};
}
