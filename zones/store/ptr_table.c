#include "ptr_table.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Growth in slices. To copy a million slots at once would stop the control thread, and all that
 * waits for it, for tens of milliseconds; so each change copies SLICE slots into a second array,
 * which takes the place of the first when it has all.
 *
 * 16 slots are enough. Copying begins when a quarter of the slots is empty, and of `count` slots it
 * takes count / 16 changes, each of which uses up one empty slot at most: three sixteenths are
 * still empty at the end, so probes stay short and the first array is never full. The second is
 * made for what lives then, those changes included, at half its slots.
 *
 * Meanwhile both arrays are kept true and readers know the first alone. What is inserted goes into
 * both, so that the slice that comes by its slot later finds it there (copy_slot); what is removed
 * is marked in both. So nobody needs to know on which side of the cursor an item lies. */

#define SLOTS_MIN 64
#define SLICE     16 /* slots copied with a change */
#define HUGE_PAGE (UINT64_C(2) << 20)

static struct ptr_table_slots *ptr_table_slots_new(uint64_t count)
{
    size_t size = sizeof(struct ptr_table_slots) + count * sizeof(uint64_t);
    struct ptr_table_slots *slots = calloc(1, size);
    if (!slots)
        return NULL;
    slots->mask = count - 1;
    uintptr_t begin = ((uintptr_t)slots + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
    uintptr_t end = ((uintptr_t)slots + size) & ~(uintptr_t)(HUGE_PAGE - 1);
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* a wish: fewer TLB misses */
    return slots;
}

enum status ptr_table_init(struct ptr_table *table, ptr_table_hash_of *hash_of, const void *arg)
{
    struct ptr_table_slots *slots = ptr_table_slots_new(SLOTS_MIN);
    if (!slots)
        return STATUS_NO_MEMORY;
    *table = (struct ptr_table){.slots = slots, .hash_of = hash_of, .arg = arg};
    return STATUS_OK;
}

void ptr_table_clear(struct ptr_table *table)
{
    free(table->slots);
    free(table->next);
    *table = (struct ptr_table){0};
}

/* True when an empty slot was used up, not a removed one. */
static bool ptr_table_slots_put(struct ptr_table_slots *slots, uint64_t hash, uint64_t word)
{
    for (uint64_t i = hash;; i++) {
        uint64_t old = slots->words[i & slots->mask];
        if (old == PTR_TABLE_EMPTY || old == PTR_TABLE_REMOVED) {
            rcu_publish(slots->words[i & slots->mask], word);
            return old == PTR_TABLE_EMPTY;
        }
    }
}

static uint64_t *ptr_table_slots_find(struct ptr_table_slots *slots, uint64_t hash, uint64_t word)
{
    for (uint64_t i = hash;; i++) {
        uint64_t *slot = &slots->words[i & slots->mask];
        if (*slot == word)
            return slot;
        if (*slot == PTR_TABLE_EMPTY)
            return NULL;
    }
}

static void *ptr_table_item_of(uint64_t word)
{
    bool is_item = word != PTR_TABLE_EMPTY && word != PTR_TABLE_REMOVED;
    return is_item ? (void *)(uintptr_t)(word & PTR_TABLE_POINTER) : NULL;
}

/* To hash an item is to read it: its first two cache lines, when its turn comes. */
static void ptr_table_fetch_item(uint64_t word)
{
    const char *item = ptr_table_item_of(word);
    if (!item)
        return;
    __builtin_prefetch(item);
    __builtin_prefetch(item + 64);
}

static void ptr_table_copy_slot(struct ptr_table *table, uint64_t word)
{
    const void *item = ptr_table_item_of(word);
    if (!item)
        return;
    uint64_t hash = table->hash_of(table->arg, item);
    if (!ptr_table_slots_find(table->next, hash, word) &&
        ptr_table_slots_put(table->next, hash, word))
        table->next_filled++;
}

static void ptr_table_copy_slice(struct ptr_table *table)
{
    if (!table->next)
        return;
    uint64_t count = table->slots->mask + 1, end = table->cursor + SLICE;
    for (; table->cursor < count && table->cursor < end; table->cursor++) {
        ptr_table_fetch_item(table->slots->words[(table->cursor + SLICE) & table->slots->mask]);
        ptr_table_copy_slot(table, table->slots->words[table->cursor]);
    }
    if (table->cursor < count)
        return;
    struct ptr_table_slots *old = table->slots;
    rcu_publish(table->slots, table->next);
    rcu_retire(old);
    table->filled = table->next_filled;
    table->next = NULL;
}

/* Above three quarters, marks included, begin to copy into an array that is at most half full when
 * the copy is done, whatever is inserted meanwhile. */
static enum status ptr_table_reserve(struct ptr_table *table)
{
    uint64_t count = table->slots->mask + 1;
    if (!table->next && (table->filled + 1) * 4 > count * 3) {
        uint64_t larger = SLOTS_MIN;
        while (larger < (table->live + count / SLICE + 1) * 2)
            larger *= 2;
        table->next = ptr_table_slots_new(larger);
        table->cursor = table->next_filled = 0;
    }
    if (table->filled + 2 < count)
        return STATUS_OK;
    if (!table->next)
        return STATUS_NO_MEMORY;
    /* The memory was refused for so long that slices come too late. */
    while (table->next)
        ptr_table_copy_slice(table);
    return STATUS_OK;
}

enum status ptr_table_insert(struct ptr_table *table, uint64_t hash, const void *item)
{
    enum status status = ptr_table_reserve(table);
    if (status != STATUS_OK)
        return status;
    uint64_t word = ptr_table_word(hash, item);
    if (table->next && ptr_table_slots_put(table->next, hash, word))
        table->next_filled++;
    if (ptr_table_slots_put(table->slots, hash, word))
        table->filled++;
    table->live++;
    ptr_table_copy_slice(table);
    return STATUS_OK;
}

static void ptr_table_put_word(struct ptr_table *table, uint64_t hash, uint64_t word,
                               uint64_t other)
{
    struct ptr_table_slots *both[] = {table->next, table->slots};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t *slot = both[i] ? ptr_table_slots_find(both[i], hash, word) : NULL;
        if (slot)
            rcu_publish(*slot, other);
    }
}

void ptr_table_remove(struct ptr_table *table, uint64_t hash, const void *item)
{
    ptr_table_put_word(table, hash, ptr_table_word(hash, item), PTR_TABLE_REMOVED);
    table->live--;
    ptr_table_copy_slice(table);
}

void ptr_table_replace(struct ptr_table *table, uint64_t hash, const void *item, const void *other)
{
    ptr_table_put_word(table, hash, ptr_table_word(hash, item), ptr_table_word(hash, other));
}

uint64_t ptr_table_bytes(const struct ptr_table *table)
{
    uint64_t words = table->slots->mask + 1 + (table->next ? table->next->mask + 1 : 0);
    return words * sizeof(uint64_t);
}

void *ptr_table_each(const struct ptr_table *table, uint64_t *position)
{
    for (; *position <= table->slots->mask; ++*position) {
        void *item = ptr_table_item_of(table->slots->words[*position]);
        /* As in a slice: whoever asks for items reads them, and each is a cache miss. */
        ptr_table_fetch_item(table->slots->words[(*position + SLICE) & table->slots->mask]);
        if (item) {
            ++*position;
            return item;
        }
    }
    return NULL;
}
