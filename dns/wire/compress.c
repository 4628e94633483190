#include "compress.h"

#include "zones/name/rr.h"

#include <stdbool.h>
#include <string.h>

/* Names are read backwards. What can be shared is a suffix, and a suffix is its first label
 * before a shorter suffix; so from the root towards the first label each step asks for one label
 * before the suffix that was found last. Its hash continues that suffix's hash, and comparing it
 * takes one label and where the rest was found (compress_is_suffix()), not the whole name. The
 * first suffix that is unknown ends the search, since no longer one can be known; those that
 * remain are entered where they will stand. Forwards, each suffix would have to be hashed and
 * compared to its end: for 127 labels 8,000 labels' work instead of 127.
 *
 * The hash has no key, although names are chosen by whoever registers: a suffix has WAYS slots,
 * and no search or insertion looks at more. Names that are made to collide displace each other
 * there and are written in full; they cannot make a message dearer. */

#define LABELS_MAX  127
#define WAYS        4 /* slots for a suffix */
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

/* Whether the label stands at message + at, and behind it what begins at `tail` (0: the root). */
static bool compress_is_suffix(const uint8_t *message, size_t at, const uint8_t *label, size_t tail)
{
    if (at == 0 || memcmp(message + at, label, 1u + label[0]) != 0)
        return false;
    size_t end = at + 1 + label[0];
    if (tail == 0)
        return message[end] == 0;
    return end == tail || rr_get16(message + end) == (POINTER | tail);
}

static uint16_t *compress_way(struct compress *compress, uint32_t hash, unsigned i)
{
    return &compress->at[((hash ^ hash >> 16) + i) % COMPRESS_SLOTS];
}

/* Where a suffix stands; 0: it is not remembered. */
static size_t compress_recall(struct compress *compress, uint32_t hash, const uint8_t *message,
                              const uint8_t *label, size_t tail)
{
    for (unsigned i = 0; i < WAYS; i++) {
        size_t at = *compress_way(compress, hash, i);
        if (compress_is_suffix(message, at, label, tail))
            return at;
    }
    return 0;
}

/* In a free slot, else in another's. */
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
    size_t len = 0, tail = 0;
    for (; name[len] != 0; len += 1u + name[len])
        starts[count++] = (uint8_t)len;

    /* The longest suffix that stands there; what is longer is remembered where it will stand. */
    size_t shared = len;
    bool is_shared = true;
    for (unsigned i = count; i-- > 0;) {
        const uint8_t *label = name + starts[i];
        hash = compress_hash_label(hash, label);
        size_t known = is_shared ? compress_recall(compress, hash, message, label, tail) : 0;
        is_shared = known != 0;
        if (is_shared) {
            tail = known;
            shared = starts[i];
        } else if (at + starts[i] <= POINTER_MAX) {
            compress_remember(compress, hash, at + starts[i]);
        }
    }
    memcpy(message + at, name, shared);
    at += shared;
    if (tail == 0) {
        message[at] = 0;
        return at + 1;
    }
    rr_put16(message + at, (uint32_t)(POINTER | tail));
    return at + 2;
}
