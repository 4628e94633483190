#include "given.h"

#include <stdlib.h>

#define FIRST_SIZE 1024 /* a power of two, as all that follow */

/* FNV-1a, and its upper half mixed into the lower, which chooses the place. */
static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    hash ^= hash >> 32;
    return hash ? hash : 1;
}

/* Where the hash is, or is to go. */
static uint64_t *place_of(uint64_t *hashes, size_t size, uint64_t hash)
{
    size_t at = hash & (size - 1);
    while (hashes[at] && hashes[at] != hash)
        at = (at + 1) & (size - 1);
    return &hashes[at];
}

static bool grow(struct given *given)
{
    size_t size = given->size ? given->size * 2 : FIRST_SIZE;
    uint64_t *hashes = calloc(size, sizeof(*hashes));
    if (!hashes)
        return false;
    for (size_t i = 0; i < given->size; i++)
        if (given->hashes[i])
            *place_of(hashes, size, given->hashes[i]) = given->hashes[i];
    free(given->hashes);
    given->hashes = hashes;
    given->size = size;
    return true;
}

enum status given_add(struct given *given, const char *text, size_t len, bool *is_new)
{
    if (given->count >= given->size / 4 * 3 && !grow(given))
        return STATUS_NO_MEMORY;
    uint64_t hash = hash_of(text, len);
    uint64_t *place = place_of(given->hashes, given->size, hash);
    *is_new = *place == 0;
    given->count += *is_new;
    *place = hash;
    return STATUS_OK;
}

void given_clear(struct given *given)
{
    free(given->hashes);
    *given = (struct given){.hashes = NULL};
}
