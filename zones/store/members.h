/* zones/store/members.h - a set's members as a vector in chunks, so that a change costs the same
 * whatever the size.
 *
 * Readers see one immutable version: a short vector of pointers to chunks of at most 64 pointers,
 * and, behind the first 64 chunks, to pages of 64 chunks each. A writer's first change after a
 * publication copies the vector; its first change in a chunk or a page copies that;
 * members_publish() swaps one pointer. What was replaced is retired (rcu.h). So adding or removing
 * one of 100,000 members copies 2 kB.
 *
 * Members have positions, which their owner remembers; removing one moves the last into its place.
 * When memory fails during a removal, which must not fail, the place is emptied instead: readers
 * skip NULL.
 *
 * Threads: one writer; members_at() on a version loaded with rcu_read(list->published). */
#ifndef ZONES_STORE_MEMBERS_H
#define ZONES_STORE_MEMBERS_H

#include "rcu.h"
#include "registry/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define MEMBERS_CHUNK  64 /* members in a chunk, chunks in a page */
#define MEMBERS_DIRECT 64 /* chunks that the vector points at, not by a page */
#define MEMBERS_NONE   UINT32_MAX

struct members_chunk {
    uint32_t edition; /* the writer's: made for this unpublished version */
    uint32_t capacity;
    const void *items[]; /* of a page, chunks */
};

struct members {
    uint32_t count;                 /* positions, empty places included */
    uint32_t ttl_s;                 /* of RRsets made from this set */
    uint32_t capacity;              /* of chunks[] */
    struct members_chunk *chunks[]; /* MEMBERS_DIRECT at most, then pages */
};

struct members_list {
    struct members *published; /* NULL while there are none */
    /* The writer's. */
    struct members *draft; /* NULL when nothing has changed */
    uint32_t edition;
    uint32_t live; /* members, without empty places */
};

static inline const struct members_chunk *members_chunk_at(const struct members *members,
                                                           uint32_t index)
{
    if (index < MEMBERS_DIRECT)
        return members->chunks[index];
    uint32_t paged = index - MEMBERS_DIRECT;
    return members->chunks[MEMBERS_DIRECT + paged / MEMBERS_CHUNK]->items[paged % MEMBERS_CHUNK];
}

static inline const void *members_at(const struct members *members, uint32_t position)
{
    const struct members_chunk *chunk = members_chunk_at(members, position / MEMBERS_CHUNK);
    return rcu_read(chunk->items[position % MEMBERS_CHUNK]);
}

/* NO_MEMORY: nothing changed. */
MUST_USE enum status members_append(struct members_list *list, const void *item,
                                    uint32_t *position);
/* Put another in a member's place, for readers at once: a newer edition of the same thing. */
void members_replace(struct members_list *list, uint32_t position, const void *old,
                     const void *item);
/* Returns the member that was moved to `position`, NULL when none was. */
const void *members_remove(struct members_list *list, uint32_t position);
/* Make the changes, and the TTL, visible. True when anything was changed. */
bool members_publish(struct members_list *list, uint32_t ttl_s);
/* With readers: retire all. Nothing is unpublished. */
void members_retire(struct members_list *list);
/* Without readers. */
void members_clear(struct members_list *list);

#endif
