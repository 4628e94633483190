/* zones/store/ptr_table.h - a hash table of pointers: one writer, lock-free readers, one cache
 * miss.
 *
 * Open addressing with linear probing. A slot is one word: the 48 bits of a pointer, and the
 * upper 16 bits of the item's hash as a tag. A look-up compares tags first: one that fails
 * mostly reads nothing but slots, one that succeeds mostly reads one item, which the caller
 * compares with what it looks for.
 *
 * The slot of a removed item is marked as removed, not reused for an item that comes later in the
 * probe sequence: a reader in the middle of its search would miss that one. The table grows, and
 * drops the marks, by copying a few slots with every change; ptr_table.c says how.
 *
 * Threads: writers' calls from one thread; ptr_table_next() in any reader (rcu.h). */
#ifndef ZONES_STORE_PTR_TABLE_H
#define ZONES_STORE_PTR_TABLE_H

#include "rcu.h"
#include "registry/base/status.h"

#include <assert.h>

struct ptr_table_slots {
    uint64_t mask; /* slots - 1 */
    uint64_t words[];
};

/* The hash that an item was inserted with. */
typedef uint64_t ptr_table_hash_of(const void *arg, const void *item);

struct ptr_table {
    struct ptr_table_slots *slots; /* published */
    /* The writer's. */
    struct ptr_table_slots *next; /* being filled, or NULL */
    uint64_t cursor;              /* slots already copied into next */
    uint64_t live, filled;        /* items; slots that are not empty, marks included */
    uint64_t next_filled;
    ptr_table_hash_of *hash_of;
    const void *arg;
};

#define PTR_TABLE_POINTER_BITS 48
#define PTR_TABLE_POINTER      UINT64_C(0xffffffffffff)

#define PTR_TABLE_EMPTY   UINT64_C(0)
#define PTR_TABLE_REMOVED UINT64_C(1)

/* NO_MEMORY. The table is the caller's, to be given to ptr_table_clear() without readers. */
MUST_USE enum status ptr_table_init(struct ptr_table *table, ptr_table_hash_of *hash_of,
                                    const void *arg);
void ptr_table_clear(struct ptr_table *table);

/* Add an item that is not in the table. NO_MEMORY: nothing changed. */
MUST_USE enum status ptr_table_insert(struct ptr_table *table, uint64_t hash, const void *item);
/* Take out, or put another in the place of, an item that is in the table. */
void ptr_table_remove(struct ptr_table *table, uint64_t hash, const void *item);
void ptr_table_replace(struct ptr_table *table, uint64_t hash, const void *item, const void *other);

/* Octets held. */
uint64_t ptr_table_bytes(const struct ptr_table *table);

static inline uint64_t ptr_table_word(uint64_t hash, const void *item)
{
    /* User memory of x86-64 and arm64 lies below 2^47, or 2^48, unless a program asks for more. */
    assert((uintptr_t)item >> PTR_TABLE_POINTER_BITS == 0);
    return (hash & ~PTR_TABLE_POINTER) | (uint64_t)(uintptr_t)item;
}

static inline void ptr_table_prefetch(const struct ptr_table_slots *slots, uint64_t hash)
{
    __builtin_prefetch(&slots->words[hash & slots->mask]);
}

/* The next item whose tag fits, from *position, which starts as the hash; NULL when there is none.
 */
static inline const void *ptr_table_next(const struct ptr_table_slots *slots, uint64_t hash,
                                         uint64_t *position)
{
    for (uint64_t i = *position;; i++) {
        uint64_t word = rcu_read(slots->words[i & slots->mask]);
        if (word == PTR_TABLE_EMPTY)
            return NULL;
        if (((word ^ hash) >> PTR_TABLE_POINTER_BITS) == 0 && word != PTR_TABLE_REMOVED) {
            *position = i + 1;
            return (const void *)(uintptr_t)(word & PTR_TABLE_POINTER);
        }
    }
}

/* All items, in no order: returns the next from *position (starting as 0), NULL at the end. The
 * writer's. */
void *ptr_table_each(const struct ptr_table *table, uint64_t *position);

#endif
