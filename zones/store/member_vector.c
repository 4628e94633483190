#include "member_vector.h"

#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

/* Copy-on-write in two levels. Readers walk one version while the writer makes the next, so what is
 * published may not change; and a type may have a million members, so not all of it can be copied
 * for one of them. A version therefore shares with the one before it all that the changes between
 * them did not touch:
 *
 *     vector -> 64 chunks of 64 members                     the first 4,096 members
 *            -> pages -> 64 chunks of 64 members each       all others
 *
 * The first change after a publication copies the vector (at a million members 64 + 244 pointers);
 * the first in a chunk, or a page, copies that. Each carries the edition of the version that it was
 * made for: one of the draft's own edition is not published yet and is written to in place, one of
 * an older edition is copied first. The old one is retired at once, which is safe because retired
 * memory is freed only after the commit that publishes the draft (rcu.h). Without pages a change at
 * a million would copy 125 kB; small sets have none and pay nothing for them.
 *
 * member_vector_replace() alone writes to what is published: one word, a newer edition of the same
 * thing, which a reader may see or not. */

static uint32_t member_vector_chunk_count(uint32_t members)
{
    return (members + MEMBER_VECTOR_CHUNK - 1) / MEMBER_VECTOR_CHUNK;
}

/* What a vector points at for so many chunks: chunks, then pages. */
static uint32_t member_vector_block_count(uint32_t chunks)
{
    if (chunks <= MEMBER_VECTOR_DIRECT)
        return chunks;
    return MEMBER_VECTOR_DIRECT +
           (chunks - MEMBER_VECTOR_DIRECT + MEMBER_VECTOR_CHUNK - 1) / MEMBER_VECTOR_CHUNK;
}

/* Where the vector has a chunk, or the page that it is in. */
static uint32_t member_vector_block_of(uint32_t index)
{
    return member_vector_block_count(index + 1) - 1;
}

/* The unpublished version, with room for `added` more chunks. NULL without memory. */
static struct member_version *member_vector_draft(struct member_vector *list, uint32_t added)
{
    const struct member_version *from = list->draft ? list->draft : list->published;
    uint32_t chunks = from ? member_vector_chunk_count(from->count) : 0,
             blocks = member_vector_block_count(chunks);
    if (list->draft && list->draft->capacity >= member_vector_block_count(chunks + added))
        return list->draft;
    /* An eighth to spare: a draft that grows by many members is seldom copied again. */
    uint32_t capacity = added ? blocks + blocks / 8 + 1 : blocks;
    struct member_version *vector = malloc(sizeof(*vector) + capacity * sizeof(vector->chunks[0]));
    if (!vector)
        return NULL;
    vector->capacity = capacity;
    vector->count = from ? from->count : 0;
    vector->ttl_s = from ? from->ttl_s : 0;
    if (from)
        memcpy(vector->chunks, from->chunks, blocks * sizeof(from->chunks[0]));
    if (list->draft)
        free(list->draft); /* no reader has seen it */
    else
        list->edition++;
    list->draft = vector;
    return vector;
}

/* A copy of a chunk or a page (NULL: there is none) that this version may write to, for at least
 * `min_capacity` items. */
static struct member_chunk *member_vector_own(struct member_vector *list, struct member_chunk *old,
                                              uint32_t held, uint32_t min_capacity)
{
    if (old && old->edition == list->edition && old->capacity >= min_capacity)
        return old;
    uint32_t capacity = held;
    while (capacity < min_capacity) /* most sets are small: their chunk has no place to spare */
        capacity = capacity ? MIN(capacity * 2, MEMBER_VECTOR_CHUNK) : 1;
    struct member_chunk *chunk = malloc(sizeof(*chunk) + capacity * sizeof(chunk->items[0]));
    if (!chunk)
        return NULL;
    chunk->edition = list->edition;
    chunk->capacity = capacity;
    if (old) {
        memcpy(chunk->items, old->items, held * sizeof(old->items[0]));
        rcu_retire(old);
    }
    return chunk;
}

/* The same for the page with the chunk `index`. *is_new: it holds no chunk yet. */
static struct member_chunk *member_vector_own_page(struct member_vector *list,
                                                   const struct member_version *vector,
                                                   uint32_t index, bool *is_new)
{
    uint32_t at = (index - MEMBER_VECTOR_DIRECT) % MEMBER_VECTOR_CHUNK;
    uint32_t chunks = member_vector_chunk_count(vector->count);
    uint32_t held = MIN(chunks - (index - at), MEMBER_VECTOR_CHUNK);
    *is_new = held == 0;
    return member_vector_own(list, held ? vector->chunks[member_vector_block_of(index)] : NULL,
                             held, at < held ? held : at + 1);
}

/* The same for the chunk `index`, which is there or the next. */
static struct member_chunk *member_vector_own_chunk(struct member_vector *list,
                                                    struct member_version *vector, uint32_t index,
                                                    uint32_t held, uint32_t min_capacity)
{
    struct member_chunk *chunk, *page = NULL,
                                *old = held ? member_vector_chunk_at(vector, index) : NULL;
    bool is_new = false;
    if (index >= MEMBER_VECTOR_DIRECT &&
        !(page = member_vector_own_page(list, vector, index, &is_new)))
        return NULL;
    if (page && !is_new)
        vector->chunks[member_vector_block_of(index)] = page;
    chunk = member_vector_own(list, old, held, min_capacity);
    if (!chunk) {
        if (is_new)
            free(page);
        return NULL;
    }
    if (page)
        page->items[(index - MEMBER_VECTOR_DIRECT) % MEMBER_VECTOR_CHUNK] = chunk;
    vector->chunks[member_vector_block_of(index)] = page ? page : chunk;
    return chunk;
}

enum status member_vector_append(struct member_vector *list, const void *item, uint32_t *position)
{
    const struct member_version *from = list->draft ? list->draft : list->published;
    uint32_t count = from ? from->count : 0, held = count % MEMBER_VECTOR_CHUNK;
    struct member_version *vector = member_vector_draft(list, held == 0);
    if (!vector)
        return STATUS_NO_MEMORY;
    struct member_chunk *chunk =
        member_vector_own_chunk(list, vector, count / MEMBER_VECTOR_CHUNK, held, held + 1);
    if (!chunk)
        return STATUS_NO_MEMORY;
    chunk->items[held] = item;
    vector->count++;
    list->live++;
    *position = count;
    return STATUS_OK;
}

/* A removal in the draft may have moved the member, so that what is published has it elsewhere and
 * is left as it is: readers see the old one until the commit, which is when it is freed at the
 * earliest (rcu.h). */
static void member_vector_replace_in(struct member_version *vector, uint32_t position,
                                     const void *old, const void *item)
{
    if (!vector || position >= vector->count)
        return;
    struct member_chunk *chunk = member_vector_chunk_at(vector, position / MEMBER_VECTOR_CHUNK);
    const void **at = &chunk->items[position % MEMBER_VECTOR_CHUNK];
    if (*at == old)
        rcu_publish(*at, item);
}

void member_vector_replace(struct member_vector *list, uint32_t position, const void *old,
                           const void *item)
{
    member_vector_replace_in(list->draft, position, old, item);
    member_vector_replace_in(list->published, position, old, item);
}

/* The last chunk, and the page that holds nothing else. */
static void member_vector_retire_chunk(const struct member_version *vector, uint32_t index)
{
    rcu_retire(member_vector_chunk_at(vector, index));
    if (index >= MEMBER_VECTOR_DIRECT &&
        member_vector_block_count(index) == member_vector_block_of(index))
        rcu_retire(vector->chunks[member_vector_block_of(index)]);
}

void *member_vector_remove(struct member_vector *list, uint32_t position)
{
    const struct member_version *from = list->draft ? list->draft : list->published;
    uint32_t index = position / MEMBER_VECTOR_CHUNK, last = from->count - 1;
    uint32_t held = MIN(from->count - index * MEMBER_VECTOR_CHUNK, MEMBER_VECTOR_CHUNK);
    const void *removed = member_vector_at(from, position), *moved = member_vector_at(from, last);
    struct member_version *vector = member_vector_draft(list, 0);
    struct member_chunk *chunk =
        vector ? member_vector_own_chunk(list, vector, index, held, held) : NULL;
    list->live--;
    if (!chunk) { /* readers skip the place, in what is published, too */
        member_vector_replace(list, position, removed, NULL);
        return NULL;
    }
    chunk->items[position % MEMBER_VECTOR_CHUNK] = moved; /* NULL: that place was emptied before */
    vector->count = last;
    if (last % MEMBER_VECTOR_CHUNK == 0)
        member_vector_retire_chunk(vector, last / MEMBER_VECTOR_CHUNK);
    return position == last ? NULL : (void *)(uintptr_t)moved;
}

bool member_vector_publish(struct member_vector *list, uint32_t ttl_s)
{
    struct member_version *old = list->published, *vector = list->draft;
    if (!vector && (!old || old->ttl_s == ttl_s))
        return false;
    if (!vector) {
        __atomic_store_n(&old->ttl_s, ttl_s, __ATOMIC_RELAXED);
        return true;
    }
    vector->ttl_s = ttl_s;
    rcu_publish(list->published, vector);
    list->draft = NULL;
    rcu_retire(old);
    return true;
}

static void member_vector_drop_blocks(const struct member_version *vector,
                                      void (*drop)(void *memory))
{
    uint32_t chunks = vector ? member_vector_chunk_count(vector->count) : 0;
    for (uint32_t i = 0; i < chunks; i++)
        drop(member_vector_chunk_at(vector, i));
    for (uint32_t i = MEMBER_VECTOR_DIRECT; i < member_vector_block_count(chunks); i++)
        drop(vector->chunks[i]);
}

void member_vector_retire(struct member_vector *list)
{
    member_vector_drop_blocks(list->published, rcu_retire);
    rcu_retire(list->published);
}

void member_vector_clear(struct member_vector *list)
{
    member_vector_drop_blocks(list->draft ? list->draft : list->published, free);
    if (list->draft)
        free(list->draft);
    free(list->published);
    *list = (struct member_vector){0};
}
