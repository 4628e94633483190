#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS_MIN 64
#define SLICE     16 /* slots copied with a change: done long before the old array is full */
#define HUGE_PAGE (UINT64_C(2) << 20)

static struct table_slots *table_slots_new(uint64_t count)
{
    size_t size = sizeof(struct table_slots) + count * sizeof(uint64_t);
    struct table_slots *slots = calloc(1, size);
    if (!slots)
        return NULL;
    slots->mask = count - 1;
    uintptr_t begin = ((uintptr_t)slots + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
    uintptr_t end = ((uintptr_t)slots + size) & ~(uintptr_t)(HUGE_PAGE - 1);
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* a wish: fewer TLB misses */
    return slots;
}

enum status table_init(struct table *table, table_hash_of *hash_of, const void *arg)
{
    struct table_slots *slots = table_slots_new(SLOTS_MIN);
    if (!slots)
        return STATUS_NO_MEMORY;
    *table = (struct table){.slots = slots, .hash_of = hash_of, .arg = arg};
    return STATUS_OK;
}

void table_clear(struct table *table)
{
    free(table->slots);
    free(table->next);
    *table = (struct table){0};
}

/* True when an empty slot was used up, not a removed one. */
static bool table_slots_put(struct table_slots *slots, uint64_t hash, uint64_t word)
{
    for (uint64_t i = hash;; i++) {
        uint64_t old = slots->words[i & slots->mask];
        if (old == TABLE_EMPTY || old == TABLE_REMOVED) {
            rcu_publish(slots->words[i & slots->mask], word);
            return old == TABLE_EMPTY;
        }
    }
}

static uint64_t *table_slots_find(struct table_slots *slots, uint64_t hash, uint64_t word)
{
    for (uint64_t i = hash;; i++) {
        uint64_t *slot = &slots->words[i & slots->mask];
        if (*slot == word)
            return slot;
        if (*slot == TABLE_EMPTY)
            return NULL;
    }
}

static const void *table_item_of(uint64_t word)
{
    bool is_item = word != TABLE_EMPTY && word != TABLE_REMOVED;
    return is_item ? (const void *)(uintptr_t)(word & UINT64_C(0xffffffffffff)) : NULL;
}

/* To hash an item is to read it: its first two cache lines, when its turn comes. */
static void table_fetch_item(uint64_t word)
{
    const char *item = table_item_of(word);
    if (!item)
        return;
    __builtin_prefetch(item);
    __builtin_prefetch(item + 64);
}

static void table_copy_slot(struct table *table, uint64_t word)
{
    const void *item = table_item_of(word);
    if (!item)
        return;
    uint64_t hash = table->hash_of(table->arg, item);
    if (!table_slots_find(table->next, hash, word) && table_slots_put(table->next, hash, word))
        table->next_filled++;
}

static void table_copy_slice(struct table *table)
{
    if (!table->next)
        return;
    uint64_t count = table->slots->mask + 1, end = table->cursor + SLICE;
    for (; table->cursor < count && table->cursor < end; table->cursor++) {
        table_fetch_item(table->slots->words[(table->cursor + SLICE) & table->slots->mask]);
        table_copy_slot(table, table->slots->words[table->cursor]);
    }
    if (table->cursor < count)
        return;
    struct table_slots *old = table->slots;
    rcu_publish(table->slots, table->next);
    rcu_retire(old);
    table->filled = table->next_filled;
    table->next = NULL;
}

/* Above three quarters, marks included, begin to copy into an array that is at most half full when
 * the copy is done, whatever is inserted meanwhile. */
static enum status table_make_room(struct table *table)
{
    uint64_t count = table->slots->mask + 1;
    if (!table->next && (table->filled + 1) * 4 > count * 3) {
        uint64_t wanted = SLOTS_MIN;
        while (wanted < (table->live + count / SLICE + 1) * 2)
            wanted *= 2;
        table->next = table_slots_new(wanted);
        table->cursor = table->next_filled = 0;
    }
    if (table->filled + 2 < count)
        return STATUS_OK;
    if (!table->next)
        return STATUS_NO_MEMORY;
    /* The memory was refused for so long that slices come too late. */
    while (table->next)
        table_copy_slice(table);
    return STATUS_OK;
}

enum status table_insert(struct table *table, uint64_t hash, const void *item)
{
    enum status status = table_make_room(table);
    if (status != STATUS_OK)
        return status;
    uint64_t word = table_word(hash, item);
    if (table->next && table_slots_put(table->next, hash, word))
        table->next_filled++;
    if (table_slots_put(table->slots, hash, word))
        table->filled++;
    table->live++;
    table_copy_slice(table);
    return STATUS_OK;
}

static void table_put_word(struct table *table, uint64_t hash, uint64_t word, uint64_t other)
{
    struct table_slots *both[] = {table->next, table->slots};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t *slot = both[i] ? table_slots_find(both[i], hash, word) : NULL;
        if (slot)
            rcu_publish(*slot, other);
    }
}

void table_remove(struct table *table, uint64_t hash, const void *item)
{
    table_put_word(table, hash, table_word(hash, item), TABLE_REMOVED);
    table->live--;
    table_copy_slice(table);
}

void table_replace(struct table *table, uint64_t hash, const void *item, const void *other)
{
    table_put_word(table, hash, table_word(hash, item), table_word(hash, other));
}

uint64_t table_bytes(const struct table *table)
{
    uint64_t words = table->slots->mask + 1 + (table->next ? table->next->mask + 1 : 0);
    return words * sizeof(uint64_t);
}

const void *table_each(const struct table *table, uint64_t *position)
{
    for (; *position <= table->slots->mask; ++*position) {
        const void *item = table_item_of(table->slots->words[*position]);
        table_fetch_item(table->slots->words[(*position + SLICE) & table->slots->mask]);
        if (item) {
            ++*position;
            return item;
        }
    }
    return NULL;
}
