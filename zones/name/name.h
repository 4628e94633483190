/* zones/name/name.h - domain names in wire form: folding, hashing, comparing, text.
 *
 * A name is a sequence of labels, each a length octet and that many octets; the root label ends it.
 * A *relative* name has no root label: it lies below a zone. Names are octet strings, compared
 * without ASCII case (RFC 4343) and shown with it. Length octets are at most 63, below 'A', so that
 * a whole name folds as one string.
 *
 * Threads: pure. */
#ifndef ZONES_NAME_NAME_H
#define ZONES_NAME_NAME_H

#include "registry/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NAME_MAX_LEN   255
#define NAME_LABEL_MAX 63
/* Octets behind a name that must be readable: names are folded, hashed and compared in blocks. */
#define NAME_PAD 16

typedef uint8_t name_block __attribute__((vector_size(NAME_PAD)));
typedef uint64_t name_words __attribute__((vector_size(NAME_PAD)));

static inline name_block name_load(const uint8_t *at)
{
    name_block block;
    memcpy(&block, at, sizeof(block));
    return block;
}

/* A block in ASCII lower case. */
static inline name_block name_fold_block(name_block block)
{
    name_block is_upper = (name_block)(block - 'A' < 26);
    return block | (is_upper & 0x20);
}

/* The first `len` octets of a block (0 to 16), the others zero. */
static inline name_block name_cut(name_block block, size_t len)
{
    static const uint8_t edge[2 * NAME_PAD] = {255, 255, 255, 255, 255, 255, 255, 255,
                                               255, 255, 255, 255, 255, 255, 255, 255};
    return block & name_load(edge + NAME_PAD - len);
}

static inline bool name_is_zero(name_block block)
{
    name_words words = (name_words)block;
    return (words[0] | words[1]) == 0;
}

static inline uint8_t name_fold_octet(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet | 0x20) : octet;
}

/* Fold `len` octets. Reads and writes up to NAME_PAD - 1 octets beyond. */
static inline void name_fold(uint8_t *out, const uint8_t *in, size_t len)
{
    for (size_t i = 0; i < len; i += NAME_PAD) {
        name_block block = name_fold_block(name_load(in + i));
        memcpy(out + i, &block, sizeof(block));
    }
}

/* Copy a name, or other octets readable NAME_PAD beyond their end, in blocks: what they write too
 * much, NAME_PAD octets at most, is overwritten by what follows or lies in slack. */
static inline void name_copy(uint8_t *out, const uint8_t *in, size_t len)
{
    size_t done = 0;
    do {
        memcpy(out + done, in + done, NAME_PAD);
        done += NAME_PAD;
    } while (done < len);
}

/* Fold exactly `len` octets, for memory that ends there. */
void name_fold_exact(uint8_t *out, const uint8_t *in, size_t len);

/* Whether two folded names are equal. Both are readable NAME_PAD octets beyond their end. */
static inline bool name_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    if (len < NAME_PAD)
        return name_is_zero(name_cut(name_load(a) ^ name_load(b), len));
    size_t last = len - NAME_PAD; /* where a block that ends with them begins */
    for (size_t i = 0; i < last; i += NAME_PAD)
        if (!name_is_zero(name_load(a + i) ^ name_load(b + i)))
            return false;
    return name_is_zero(name_load(a + last) ^ name_load(b + last));
}

/* Whether `name` equals the folded name. Readable as above. */
static inline bool name_equal(const uint8_t *folded, const uint8_t *name, size_t len)
{
    if (len < NAME_PAD)
        return name_is_zero(name_cut(name_load(folded) ^ name_fold_block(name_load(name)), len));
    size_t last = len - NAME_PAD;
    for (size_t i = 0; i < last; i += NAME_PAD)
        if (!name_is_zero(name_load(folded + i) ^ name_fold_block(name_load(name + i))))
            return false;
    return name_is_zero(name_load(folded + last) ^ name_fold_block(name_load(name + last)));
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

/* Hash of folded octets, readable NAME_PAD octets beyond their end: one multiplication a block. */
static inline uint64_t name_hash(const struct name_seed *seed, const uint8_t *folded, size_t len)
{
    uint64_t hash = seed->word[0] ^ len;
    for (; len >= NAME_PAD; len -= NAME_PAD, folded += NAME_PAD) {
        name_words words = (name_words)name_load(folded);
        hash = name_mix(words[0] ^ seed->word[1], words[1] ^ hash);
    }
    name_words rest = (name_words)name_cut(name_load(folded), len);
    return name_mix(name_mix(rest[0] ^ seed->word[1], rest[1] ^ hash), seed->word[2]);
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
