/* zones/name.h - domain names in wire form: folding, hashing, comparing, text.
 *
 * A name is a sequence of labels, each a length octet and that many octets; the root label ends it.
 * A *relative* name has no root label: it lies below a zone. Names are octet strings, compared
 * without ASCII case (RFC 4343) and shown with it. Length octets are at most 63, below 'A', so that
 * a whole name folds as one string.
 *
 * Threads: pure. */
#ifndef ZONES_NAME_H
#define ZONES_NAME_H

#include "registry/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NAME_MAX_LEN   255
#define NAME_LABEL_MAX 63
/* Octets behind a folded name that must be readable: names are hashed and compared eight at a time.
 */
#define NAME_PAD 8

static inline uint64_t name_load(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* Eight octets in ASCII lower case. */
static inline uint64_t name_fold_word(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101U, high = ones << 7;
    uint64_t seven = word & ~high;
    uint64_t from_a = seven + ones * (0x80 - 'A');     /* high bit: octet >= 'A' */
    uint64_t past_z = seven + ones * (0x80 - 'Z' - 1); /* high bit: octet > 'Z' */
    uint64_t upper = (from_a & ~past_z & ~word & high) >> 2;
    return word | upper;
}

static inline uint8_t name_fold_octet(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet | 0x20) : octet;
}

/* Fold `len` octets. Reads and writes up to NAME_PAD - 1 octets beyond. */
static inline void name_fold(uint8_t *out, const uint8_t *in, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = name_fold_word(name_load(in + i));
        memcpy(out + i, &word, sizeof(word));
    }
}

/* Fold exactly `len` octets, for memory that ends there. */
void name_fold_exact(uint8_t *out, const uint8_t *in, size_t len);

/* The last word of a string of which `left` (1-8) octets count. */
static inline uint64_t name_mask(uint64_t word, size_t left)
{
    return left >= 8 ? word : word & ((UINT64_C(1) << (8 * left)) - 1);
}

/* Whether `name` equals the folded name. Both are readable NAME_PAD octets beyond their end. */
static inline bool name_equal(const uint8_t *folded, const uint8_t *name, size_t len)
{
    size_t i = 0;
    for (; i + 8 <= len; i += 8)
        if (name_load(folded + i) != name_fold_word(name_load(name + i)))
            return false;
    if (i == len)
        return true;
    return name_mask(name_load(folded + i) ^ name_fold_word(name_load(name + i)), len - i) == 0;
}

/* Whether a label (its length octet first) is a host's (RFC 952): letters, digits, and hyphens but
 * at the ends, where BIND refuses the whole zone for them. */
static inline bool name_is_host_label(const uint8_t *label)
{
    for (unsigned i = 1; i <= label[0]; i++) {
        uint8_t octet = name_fold_octet(label[i]);
        bool is_alnum = (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9');
        if (!is_alnum && (octet != '-' || i == 1 || i == label[0]))
            return false;
    }
    return label[0] > 0;
}

/* Secrets of a hash, random in each process: what strangers register cannot be aimed at one slot.
 */
struct name_seed {
    uint64_t word[3];
};

static inline uint64_t name_mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Hash of folded octets, readable NAME_PAD octets beyond their end: one multiplication for 16
 * octets. */
static inline uint64_t name_hash(const struct name_seed *seed, const uint8_t *folded, size_t len)
{
    uint64_t hash = seed->word[0] ^ len;
    size_t i = 0;
    for (; i + 16 <= len; i += 16)
        hash = name_mix(name_load(folded + i) ^ seed->word[1], name_load(folded + i + 8) ^ hash);
    uint64_t low = 0, high = 0;
    if (len - i > 8) {
        low = name_load(folded + i);
        high = name_mask(name_load(folded + i + 8), len - i - 8);
    } else if (len > i) {
        low = name_mask(name_load(folded + i), len - i);
    }
    return name_mix(name_mix(low ^ seed->word[1], high ^ hash), seed->word[2]);
}

/* Random secrets. SYSTEM. */
MUST_USE enum status name_seed_init(struct name_seed *out);

/* Read a name as a person writes it: labels of any octets but dots and backslashes, 1-63 each,
 * joined by dots, one at the end allowed. Gives the wire form with the root label. BAD_INPUT with
 * *why. */
MUST_USE enum status name_from_text(const char *text, uint8_t out[NAME_MAX_LEN], uint8_t *out_len,
                                    struct detail *why);

/* Octets of the longest text, with its NUL: each octet may become \DDD. */
#define NAME_TEXT_MAX (NAME_MAX_LEN * 4 + 2)
/* Write a wire name (whole, or relative of `len` octets) as text with escapes (RFC 1035 5.1), a dot
 * after each label. */
void name_to_text(const uint8_t *name, size_t len, char out[NAME_TEXT_MAX]);

#endif
