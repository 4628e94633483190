#include "guard_type.h"

#include <stdlib.h>

#define GUARD_SLICE_MS 250
#define GUARD_SLICES   64 /* 16 s: a window, and the time that it takes to judge it */
#define GUARD_NAME_MAX 100

/* How many have come less those that have gone, by slices of time. */
struct guard_history {
    uint64_t newest; /* slice */
    int64_t changes[GUARD_SLICES];
};

void guard_type_init(struct guard_type *type, struct kv_copy *name)
{
    *type = (struct guard_type){.name = name};
    TAILQ_INIT(&type->window);
    TAILQ_INIT(&type->held);
}

void guard_type_clear(struct guard_type *type)
{
    free(type->history);
    type->history = NULL;
}

/* Without memory the past is like the present, which is wrong by what has changed in 10 s. */
static struct guard_history *guard_type_history(struct guard_type *type, uint64_t slice)
{
    struct guard_history *history = type->history;
    if (!history) {
        history = type->history = calloc(1, sizeof(*history));
        if (history)
            history->newest = slice;
        return history;
    }
    for (unsigned i = 0; history->newest < slice && i < GUARD_SLICES; i++)
        history->changes[++history->newest % GUARD_SLICES] = 0;
    if (history->newest < slice)
        history->newest = slice; /* all of them are zero by now, wherever it stands */
    return history;
}

/* Few instances cannot be too many that expire: a tree of a million small types needs no history. */
void guard_type_change(struct guard_type *type, uint64_t at_ms, int change)
{
    uint64_t slice = at_ms / GUARD_SLICE_MS, before = type->population;
    type->population += (uint64_t)(int64_t)change;
    bool is_small = before < GUARD_EXPIRED_MIN && type->population < GUARD_EXPIRED_MIN;
    if (at_ms == 0 || (is_small && !type->history))
        return;
    struct guard_history *history = guard_type_history(type, slice);
    if (history && history->newest - slice < GUARD_SLICES)
        history->changes[slice % GUARD_SLICES] += change;
}

uint64_t guard_type_population(const struct guard_type *type, uint64_t at_ms)
{
    const struct guard_history *history = type->history;
    uint64_t first = at_ms / GUARD_SLICE_MS + 1;
    int64_t changes = 0;
    if (!history)
        return type->population;
    if (history->newest >= GUARD_SLICES && first <= history->newest - GUARD_SLICES)
        first = history->newest - GUARD_SLICES + 1;
    for (uint64_t slice = first; slice <= history->newest; slice++)
        changes += history->changes[slice % GUARD_SLICES];
    return type->population - (uint64_t)changes;
}

bool guard_type_is_over(const struct guard_type *type, size_t count, uint64_t end_ms,
                        unsigned share)
{
    if (count < GUARD_EXPIRED_MIN)
        return false;
    uint64_t begin_ms = end_ms > GUARD_WINDOW_MS ? end_ms - GUARD_WINDOW_MS : 0;
    return (uint64_t)count * 100 > guard_type_population(type, begin_ms) * share;
}

void guard_type_add(struct guard_type *type, struct guard_gone *gone)
{
    TAILQ_INSERT_TAIL(&type->window, gone, window_node);
    type->window_count++;
    gone->is_in_window = true;
    if (!type->next)
        type->next = gone;
}

void guard_type_drop(struct guard_type *type, struct guard_gone *gone)
{
    if (!gone->is_in_window)
        return;
    if (type->next == gone)
        type->next = TAILQ_NEXT(gone, window_node);
    TAILQ_REMOVE(&type->window, gone, window_node);
    type->window_count--;
    type->expired_count -= gone->is_counted;
    gone->is_in_window = gone->is_counted = false;
}

struct guard_gone *guard_type_outdated(const struct guard_type *type, uint64_t end_ms)
{
    struct guard_gone *first = TAILQ_FIRST(&type->window);
    return first && first->gone_ms + GUARD_WINDOW_MS < end_ms ? first : NULL;
}

struct guard_gone *guard_type_count_next(struct guard_type *type)
{
    struct guard_gone *gone = type->next;
    if (!gone || !gone->is_expired)
        return NULL;
    type->next = TAILQ_NEXT(gone, window_node);
    type->expired_count++;
    gone->is_counted = true;
    return gone;
}

int guard_type_name_len(const struct guard_type *type)
{
    return type->name->key_len < GUARD_NAME_MAX ? (int)type->name->key_len : GUARD_NAME_MAX;
}
