#include "given.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 1024 /* a power of two, as all that follow */

static uint64_t given_hash_of(const struct given *given, const char *text, size_t len)
{
    const uint64_t *word = given->seed.word;
    uint64_t hash = word[0] ^ len;
    for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
        uint64_t octets = 0;
        memcpy(&octets, text + at, len - at < sizeof(octets) ? len - at : sizeof(octets));
        hash = name_mix(octets ^ word[1], hash ^ word[2]);
    }
    hash = name_mix(hash, word[1] | 1);
    return hash ? hash : 1;
}

/* Where the hash is, or is to go. */
static uint64_t *given_place_of(uint64_t *hashes, size_t size, uint64_t hash)
{
    size_t at = hash & (size - 1);
    while (hashes[at] && hashes[at] != hash)
        at = (at + 1) & (size - 1);
    return &hashes[at];
}

static enum status given_grow(struct given *given)
{
    size_t size = given->size ? given->size * 2 : FIRST_SIZE;
    if (!given->size && name_seed_init(&given->seed) != STATUS_OK)
        return STATUS_SYSTEM;
    uint64_t *hashes = calloc(size, sizeof(*hashes));
    if (!hashes)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < given->size; i++)
        if (given->hashes[i])
            *given_place_of(hashes, size, given->hashes[i]) = given->hashes[i];
    free(given->hashes);
    given->hashes = hashes;
    given->size = size;
    return STATUS_OK;
}

enum status given_add(struct given *given, const char *text, size_t len, bool *is_new)
{
    enum status status = given->count >= given->size / 4 * 3 ? given_grow(given) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    uint64_t hash = given_hash_of(given, text, len);
    uint64_t *place = given_place_of(given->hashes, given->size, hash);
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
