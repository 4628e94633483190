#include "members.h"

#include <stdlib.h>
#include <string.h>

static uint32_t members_chunk_count(uint32_t members)
{
    return (members + MEMBERS_CHUNK - 1) / MEMBERS_CHUNK;
}

/* What a vector points at for so many chunks: chunks, then pages. */
static uint32_t members_block_count(uint32_t chunks)
{
    if (chunks <= MEMBERS_DIRECT)
        return chunks;
    return MEMBERS_DIRECT + (chunks - MEMBERS_DIRECT + MEMBERS_CHUNK - 1) / MEMBERS_CHUNK;
}

/* Where the vector has a chunk, or the page that it is in. */
static uint32_t members_block_of(uint32_t index)
{
    return members_block_count(index + 1) - 1;
}

static struct members *members_vector_new(uint32_t capacity)
{
    struct members *vector = malloc(sizeof(*vector) + capacity * sizeof(vector->chunks[0]));
    if (vector)
        *vector = (struct members){.capacity = capacity};
    return vector;
}

/* The unpublished version, with room for `extra` more chunks. NULL without memory. */
static struct members *members_draft(struct members_list *list, uint32_t extra)
{
    const struct members *from = list->draft ? list->draft : list->published;
    uint32_t chunks = from ? members_chunk_count(from->count) : 0,
             blocks = members_block_count(chunks);
    if (list->draft && list->draft->capacity >= members_block_count(chunks + extra))
        return list->draft;
    uint32_t room = extra ? blocks / 8 + 1 : 0;
    struct members *vector = members_vector_new(blocks + room);
    if (!vector)
        return NULL;
    if (from) {
        vector->count = from->count;
        vector->ttl_s = from->ttl_s;
        memcpy(vector->chunks, from->chunks, blocks * sizeof(from->chunks[0]));
    }
    if (list->draft)
        free(list->draft); /* no reader has seen it */
    else
        list->edition++;
    list->draft = vector;
    return vector;
}

/* A copy of a chunk or a page (NULL: there is none) that this version may write to, for at least
 * `wanted` items. */
static struct members_chunk *members_own(struct members_list *list, struct members_chunk *old,
                                         uint32_t held, uint32_t wanted)
{
    if (old && old->edition == list->edition && old->capacity >= wanted)
        return old;
    uint32_t capacity = held;
    while (capacity < wanted)
        capacity = capacity ? capacity * 2 : 1;
    if (capacity > MEMBERS_CHUNK)
        capacity = MEMBERS_CHUNK;
    struct members_chunk *chunk = malloc(sizeof(*chunk) + capacity * sizeof(chunk->items[0]));
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

static struct members_chunk *members_run_chunk_at(const struct members *vector, uint32_t index)
{
    return (struct members_chunk *)(uintptr_t)members_chunk_at(vector, index);
}

/* The same for the page with the chunk `index`. *is_new: it holds no chunk yet. */
static struct members_chunk *members_own_page(struct members_list *list,
                                              const struct members *vector, uint32_t index,
                                              bool *is_new)
{
    uint32_t at = (index - MEMBERS_DIRECT) % MEMBERS_CHUNK;
    uint32_t held = members_chunk_count(vector->count) - (index - at);
    if (held > MEMBERS_CHUNK)
        held = MEMBERS_CHUNK;
    *is_new = held == 0;
    return members_own(list, held ? vector->chunks[members_block_of(index)] : NULL, held,
                       at < held ? held : at + 1);
}

/* The same for the chunk `index`, which is there or the next. */
static struct members_chunk *members_own_chunk(struct members_list *list, struct members *vector,
                                               uint32_t index, uint32_t held, uint32_t wanted)
{
    struct members_chunk *chunk, *page = NULL,
                                 *old = held ? members_run_chunk_at(vector, index) : NULL;
    bool is_new = false;
    if (index >= MEMBERS_DIRECT && !(page = members_own_page(list, vector, index, &is_new)))
        return NULL;
    if (page && !is_new)
        vector->chunks[members_block_of(index)] = page;
    chunk = members_own(list, old, held, wanted);
    if (!chunk) {
        if (is_new)
            free(page);
        return NULL;
    }
    if (page)
        page->items[(index - MEMBERS_DIRECT) % MEMBERS_CHUNK] = chunk;
    vector->chunks[members_block_of(index)] = page ? page : chunk;
    return chunk;
}

static uint32_t members_held_in(const struct members *vector, uint32_t index)
{
    uint32_t rest = vector->count - index * MEMBERS_CHUNK;
    return rest < MEMBERS_CHUNK ? rest : MEMBERS_CHUNK;
}

enum status members_append(struct members_list *list, const void *item, uint32_t *position)
{
    const struct members *from = list->draft ? list->draft : list->published;
    uint32_t count = from ? from->count : 0, held = count % MEMBERS_CHUNK;
    struct members *vector = members_draft(list, held == 0);
    if (!vector)
        return STATUS_NO_MEMORY;
    struct members_chunk *chunk =
        members_own_chunk(list, vector, count / MEMBERS_CHUNK, held, held + 1);
    if (!chunk)
        return STATUS_NO_MEMORY;
    chunk->items[held] = item;
    vector->count++;
    list->live++;
    *position = count;
    return STATUS_OK;
}

static const void **members_place(struct members_list *list, uint32_t position)
{
    struct members *vector = members_draft(list, 0);
    if (!vector || position >= vector->count)
        return NULL;
    uint32_t index = position / MEMBERS_CHUNK, held = members_held_in(vector, index);
    struct members_chunk *chunk = members_own_chunk(list, vector, index, held, held);
    return chunk ? &chunk->items[position % MEMBERS_CHUNK] : NULL;
}

static void members_replace_in(struct members *vector, uint32_t position, const void *old,
                               const void *item)
{
    if (!vector || position >= vector->count)
        return;
    struct members_chunk *chunk = members_run_chunk_at(vector, position / MEMBERS_CHUNK);
    const void **at = &chunk->items[position % MEMBERS_CHUNK];
    if (*at == old)
        rcu_publish(*at, item);
}

void members_replace(struct members_list *list, uint32_t position, const void *old,
                     const void *item)
{
    members_replace_in(list->draft, position, old, item);
    members_replace_in(list->published, position, old, item);
}

/* Without memory for a copy: empty the place in what readers see. */
static void members_empty_place(struct members_list *list, uint32_t position)
{
    struct members *both[] = {list->draft, list->published};
    for (unsigned i = 0; i < 2; i++)
        if (both[i] && position < both[i]->count)
            rcu_publish(members_run_chunk_at(both[i], position / MEMBERS_CHUNK)
                            ->items[position % MEMBERS_CHUNK],
                        NULL);
}

/* The last chunk, and the page that holds nothing else. */
static void members_retire_chunk(const struct members *vector, uint32_t index)
{
    rcu_retire(members_run_chunk_at(vector, index));
    if (index >= MEMBERS_DIRECT && members_block_count(index) == members_block_of(index))
        rcu_retire(vector->chunks[members_block_of(index)]);
}

const void *members_remove(struct members_list *list, uint32_t position)
{
    const void **at = members_place(list, position);
    struct members *vector = list->draft;
    list->live--;
    if (!at || !vector) {
        members_empty_place(list, position);
        return NULL;
    }
    uint32_t last = vector->count - 1;
    struct members_chunk *tail = members_run_chunk_at(vector, last / MEMBERS_CHUNK);
    const void *moved = position == last ? NULL : tail->items[last % MEMBERS_CHUNK];
    if (moved)
        *at = moved;
    else if (position != last)
        *at = NULL;
    vector->count = last;
    if (last % MEMBERS_CHUNK == 0)
        members_retire_chunk(vector, last / MEMBERS_CHUNK);
    return moved;
}

bool members_publish(struct members_list *list, uint32_t ttl_s)
{
    struct members *old = list->published, *vector = list->draft;
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

static void members_drop_blocks(const struct members *vector, void (*drop)(void *memory))
{
    uint32_t chunks = vector ? members_chunk_count(vector->count) : 0;
    for (uint32_t i = 0; i < chunks; i++)
        drop(members_run_chunk_at(vector, i));
    for (uint32_t i = MEMBERS_DIRECT; i < members_block_count(chunks); i++)
        drop(vector->chunks[i]);
}

void members_retire(struct members_list *list)
{
    members_drop_blocks(list->published, rcu_retire);
    rcu_retire(list->published);
}

void members_clear(struct members_list *list)
{
    members_drop_blocks(list->draft ? list->draft : list->published, free);
    if (list->draft)
        free(list->draft);
    free(list->published);
    *list = (struct members_list){0};
}
