#include "compress.h"

#include <stdbool.h>
#include <string.h>

#define LABELS_MAX  127
#define WAYS        4 /* places for a suffix */
#define POINTER     0xc000u
#define POINTER_MAX 0x3fffu

void compress_reset(struct compress *compress)
{
    memset(compress, 0, sizeof(*compress));
}

/* FNV-1a, from the end of a name to its beginning, label by label. */
static uint32_t compress_hash_label(uint32_t hash, const uint8_t *label)
{
    for (unsigned i = 0; i <= label[0]; i++)
        hash = (hash ^ label[i]) * UINT32_C(16777619);
    return hash;
}

/* Whether the label stands at message + at, and behind it what begins at `rest` (0: the root). */
static bool compress_is_suffix(const uint8_t *message, size_t at, const uint8_t *label, size_t rest)
{
    if (at == 0 || memcmp(message + at, label, 1u + label[0]) != 0)
        return false;
    size_t end = at + 1 + label[0];
    if (rest == 0)
        return message[end] == 0;
    size_t pointer = (size_t)message[end] << 8 | message[end + 1];
    return end == rest || pointer == (POINTER | rest);
}

static uint16_t *compress_way(struct compress *compress, uint32_t hash, unsigned i)
{
    return &compress->at[((hash ^ hash >> 16) + i) % COMPRESS_SLOTS];
}

/* Where a suffix stands; 0: it is not remembered. */
static size_t compress_recall(struct compress *compress, uint32_t hash, const uint8_t *message,
                              const uint8_t *label, size_t rest)
{
    for (unsigned i = 0; i < WAYS; i++) {
        size_t at = *compress_way(compress, hash, i);
        if (compress_is_suffix(message, at, label, rest))
            return at;
    }
    return 0;
}

/* In a free place, else in another's: whatever names were chosen, no search is longer than this. */
static void compress_remember(struct compress *compress, uint32_t hash, size_t at)
{
    unsigned i = 0;
    while (i < WAYS && *compress_way(compress, hash, i) != 0)
        i++;
    *compress_way(compress, hash, i % WAYS) = (uint16_t)at;
}

size_t compress_name(struct compress *compress, uint8_t *message, size_t at, const uint8_t *name)
{
    uint8_t starts[LABELS_MAX];
    uint32_t hash = UINT32_C(2166136261);
    unsigned count = 0;
    size_t len = 0, rest = 0;
    for (; name[len] != 0; len += 1u + name[len])
        starts[count++] = (uint8_t)len;

    /* The longest suffix that stands there; what is longer is remembered where it will stand. */
    size_t shared = len;
    bool is_shared = true;
    for (unsigned i = count; i-- > 0;) {
        const uint8_t *label = name + starts[i];
        hash = compress_hash_label(hash, label);
        size_t known = is_shared ? compress_recall(compress, hash, message, label, rest) : 0;
        is_shared = known != 0;
        if (is_shared) {
            rest = known;
            shared = starts[i];
        } else if (at + starts[i] <= POINTER_MAX) {
            compress_remember(compress, hash, at + starts[i]);
        }
    }
    memcpy(message + at, name, shared);
    at += shared;
    if (rest == 0) {
        message[at] = 0;
        return at + 1;
    }
    message[at] = (uint8_t)((POINTER | rest) >> 8);
    message[at + 1] = (uint8_t)rest;
    return at + 2;
}
