#include "kv_copy.h"

#include "registry/base/random.h"
#include "registry/base/siphash.h"

#include <stdlib.h>
#include <string.h>

#define KV_COPIES_FIRST 64 /* chains */

enum status kv_copies_init(struct kv_copies *copies)
{
    *copies = (struct kv_copies){.mark = 1};
    return random_fill(copies->seed, sizeof(copies->seed));
}

void kv_copies_clear(struct kv_copies *copies)
{
    for (size_t i = 0; i < copies->capacity; i++) {
        struct kv_copy *next;
        for (struct kv_copy *copy = copies->chains[i]; copy; copy = next) {
            next = copy->next;
            free(copy);
        }
    }
    free(copies->chains);
    copies->chains = NULL;
    copies->capacity = copies->count = 0;
}

static uint32_t kv_copies_hash(const struct kv_copies *copies, const char *key, size_t key_len)
{
    uint64_t hash;
    siphash(copies->seed, key, key_len, (uint8_t *)&hash);
    return (uint32_t)hash;
}

/* What points at the copy of this key; NULL stands there where there is none. */
static struct kv_copy **kv_copies_place(const struct kv_copies *copies, uint32_t hash,
                                        const char *key, size_t key_len)
{
    struct kv_copy **place = &copies->chains[hash & (copies->capacity - 1)];
    while (*place && ((*place)->hash != hash || (*place)->key_len != key_len ||
                      memcmp((*place)->octets, key, key_len) != 0))
        place = &(*place)->next;
    return place;
}

/* Have as many chains as copies. Without memory for more they get longer, which is only slower. */
static enum status kv_copies_grow(struct kv_copies *copies)
{
    if (copies->count < copies->capacity)
        return STATUS_OK;
    size_t capacity = copies->capacity ? copies->capacity * 2 : KV_COPIES_FIRST;
    struct kv_copy **chains = calloc(capacity, sizeof(struct kv_copy *));
    if (!chains)
        return copies->capacity ? STATUS_OK : STATUS_NO_MEMORY;
    for (size_t i = 0; i < copies->capacity; i++) {
        struct kv_copy *next;
        for (struct kv_copy *copy = copies->chains[i]; copy; copy = next) {
            struct kv_copy **chain = &chains[copy->hash & (capacity - 1)];
            next = copy->next;
            copy->next = *chain;
            *chain = copy;
        }
    }
    free(copies->chains);
    copies->chains = chains;
    copies->capacity = capacity;
    return STATUS_OK;
}

struct kv_copy *kv_copies_find(const struct kv_copies *copies, const char *key, size_t key_len)
{
    if (copies->count == 0)
        return NULL;
    return *kv_copies_place(copies, kv_copies_hash(copies, key, key_len), key, key_len);
}

enum status kv_copies_put(struct kv_copies *copies, const struct kv *kv, struct kv_copy **out)
{
    uint32_t hash = kv_copies_hash(copies, kv->key, kv->key_len);
    if (kv_copies_grow(copies) != STATUS_OK)
        return STATUS_NO_MEMORY;
    struct kv_copy **place = kv_copies_place(copies, hash, kv->key, kv->key_len);
    struct kv_copy *copy = *place;
    if (!copy || copy->value_len != kv->value_len) {
        struct kv_copy *fresh = malloc(sizeof(*fresh) + kv->key_len + kv->value_len);
        if (!fresh)
            return STATUS_NO_MEMORY;
        *fresh = (struct kv_copy){.next = copy ? copy->next : NULL,
                                  .user = copy ? copy->user : NULL,
                                  .hash = hash,
                                  .key_len = (uint32_t)kv->key_len,
                                  .value_len = (uint32_t)kv->value_len};
        memcpy(fresh->octets, kv->key, kv->key_len);
        copies->count += !copy;
        free(copy);
        *place = copy = fresh;
    }
    if (kv->value_len > 0) /* of an empty one there may be no pointer */
        memcpy(copy->octets + copy->key_len, kv->value, kv->value_len);
    copy->mod_revision = kv->mod_revision;
    copy->lease = kv->lease;
    copy->is_value_cut = kv->is_value_cut;
    copy->mark = copies->mark;
    if (out)
        *out = copy;
    return STATUS_OK;
}

void kv_copies_remove(struct kv_copies *copies, struct kv_copy *copy)
{
    struct kv_copy **place = &copies->chains[copy->hash & (copies->capacity - 1)];
    while (*place != copy)
        place = &(*place)->next;
    *place = copy->next;
    copies->count--;
    free(copy);
}

/* A mark is the number of a load, in an octet. When those are used up, no copy may have one that
 * comes again. */
void kv_copies_unmark(struct kv_copies *copies)
{
    if (++copies->mark != 0)
        return;
    for (size_t i = 0; i < copies->capacity; i++)
        for (struct kv_copy *copy = copies->chains[i]; copy; copy = copy->next)
            copy->mark = 0;
    copies->mark = 1;
}

void kv_copies_mark(const struct kv_copies *copies, struct kv_copy *copy)
{
    copy->mark = copies->mark;
}

void kv_copies_sweep(struct kv_copies *copies, kv_copies_each *each, void *arg)
{
    for (size_t i = 0; i < copies->capacity; i++) {
        struct kv_copy *next;
        for (struct kv_copy *copy = copies->chains[i]; copy; copy = next) {
            next = copy->next;
            if (copy->mark != copies->mark)
                each(arg, copy);
        }
    }
}

struct kv kv_copy_kv(const struct kv_copy *copy)
{
    return (struct kv){.key = copy->octets,
                       .key_len = copy->key_len,
                       .value = copy->octets + copy->key_len,
                       .value_len = copy->value_len,
                       .mod_revision = copy->mod_revision,
                       .lease = copy->lease,
                       .is_value_cut = copy->is_value_cut};
}

bool kv_copy_is(const struct kv_copy *copy, const struct kv *kv)
{
    return copy->mod_revision == kv->mod_revision && copy->lease == kv->lease &&
           copy->value_len == kv->value_len &&
           memcmp(copy->octets + copy->key_len, kv->value, kv->value_len) == 0;
}
