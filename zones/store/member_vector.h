/* zones/store/member_vector.h - a set's members as a vector in chunks, so that a change costs the same
 * whatever the size.
 *
 * Readers see one immutable version: a short vector of pointers to chunks of at most 64 pointers,
 * and, behind the first 64 chunks, to pages of 64 chunks each. A writer's first change after a
 * publication copies the vector; its first change in a chunk or a page copies that;
 * member_vector_publish() swaps one pointer. What was replaced is retired (rcu.h). So adding or
 * removing one of 100,000 members copies 2 kB.
 *
 * Members have positions, which their owner remembers; removing one moves the last into its place.
 * When memory fails during a removal, which must not fail, the place is emptied instead: readers
 * skip NULL.
 *
 * Threads: one writer; member_vector_at() on a version loaded with rcu_read(list->published). */
#ifndef ZONES_STORE_MEMBER_VECTOR_H
#define ZONES_STORE_MEMBER_VECTOR_H

#include "rcu.h"
#include "registry/base/status.h"

#define MEMBER_VECTOR_CHUNK  64 /* members in a chunk, chunks in a page */
#define MEMBER_VECTOR_DIRECT 64 /* chunks that the vector points at, not by a page */
#define MEMBER_VECTOR_NONE   UINT32_MAX

struct member_chunk {
    uint32_t edition; /* the writer's: made for this unpublished version */
    uint32_t capacity;
    const void *items[]; /* of a page, chunks */
};

struct member_version {
    uint32_t count;                /* positions, empty places included */
    uint32_t ttl_s;                /* of RRsets made from this set */
    uint32_t capacity;             /* of chunks[] */
    struct member_chunk *chunks[]; /* MEMBER_VECTOR_DIRECT at most, then pages */
};

struct member_vector {
    struct member_version *published; /* NULL while there are none */
    /* The writer's. */
    struct member_version *draft; /* NULL when nothing has changed */
    uint32_t edition;
    uint32_t live; /* members, without empty places */
};

/* Writable for the writer alone. */
static inline struct member_chunk *member_vector_chunk_at(const struct member_version *members,
                                                          uint32_t index)
{
    if (index < MEMBER_VECTOR_DIRECT)
        return members->chunks[index];
    uint32_t paged = index - MEMBER_VECTOR_DIRECT;
    const struct member_chunk *page =
        members->chunks[MEMBER_VECTOR_DIRECT + paged / MEMBER_VECTOR_CHUNK];
    return (struct member_chunk *)(uintptr_t)page->items[paged % MEMBER_VECTOR_CHUNK];
}

static inline const void *member_vector_at(const struct member_version *members, uint32_t position)
{
    const struct member_chunk *chunk =
        member_vector_chunk_at(members, position / MEMBER_VECTOR_CHUNK);
    return rcu_read(chunk->items[position % MEMBER_VECTOR_CHUNK]);
}

/* NO_MEMORY: nothing changed. */
MUST_USE enum status member_vector_append(struct member_vector *list, const void *item,
                                          uint32_t *position);
/* Put another in a member's place, for readers at once: a newer edition of the same thing. */
void member_vector_replace(struct member_vector *list, uint32_t position, const void *old,
                           const void *item);
/* Take out a member that is there. Returns the one that was moved to `position`, NULL when none was.
 */
void *member_vector_remove(struct member_vector *list, uint32_t position);
/* Make the changes, and the TTL, visible. True when anything was changed. */
bool member_vector_publish(struct member_vector *list, uint32_t ttl_s);
/* With readers: retire all. Nothing is unpublished. */
void member_vector_retire(struct member_vector *list);
/* Without readers. */
void member_vector_clear(struct member_vector *list);

#endif
