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

#include <string.h>

#define NAME_MAX_LEN   255
#define NAME_LABEL_MAX 63
/* Names are folded, hashed, compared and copied in blocks of this many octets. */
#define NAME_PAD 16

/* Octets, mostly a name, behind whose end NAME_PAD more are readable, whatever they are. Whoever
 * makes one sees to that; what ends where memory may end is no such name. */
struct name_padded {
    const uint8_t *octets;
    size_t len;
};

/* Memory for a name with its padding. */
struct name_buffer {
    uint8_t octets[NAME_MAX_LEN + NAME_PAD];
    uint8_t len;
};

static inline struct name_padded name_of(const struct name_buffer *buffer)
{
    return (struct name_padded){buffer->octets, buffer->len};
}

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

/* Fold a name. Writes up to NAME_PAD - 1 octets beyond its end. */
static inline void name_fold(uint8_t *out, struct name_padded name)
{
    for (size_t i = 0; i < name.len; i += NAME_PAD) {
        name_block block = name_fold_block(name_load(name.octets + i));
        memcpy(out + i, &block, sizeof(block));
    }
}

/* Copy a name in blocks: what they write too much, up to NAME_PAD octets, is overwritten by what
 * follows or lies in slack. */
static inline void name_copy(uint8_t *out, struct name_padded name)
{
    size_t done = 0;
    do {
        memcpy(out + done, name.octets + done, NAME_PAD);
        done += NAME_PAD;
    } while (done < name.len);
}

/* Fold exactly `len` octets, for memory that ends there. */
void name_fold_exact(uint8_t *out, const uint8_t *in, size_t len);

/* Whether two folded names of the same length are equal. */
static inline bool name_same(struct name_padded a, struct name_padded b)
{
    if (a.len < NAME_PAD)
        return name_is_zero(name_cut(name_load(a.octets) ^ name_load(b.octets), a.len));
    size_t last = a.len - NAME_PAD; /* where a block that ends with them begins */
    for (size_t i = 0; i < last; i += NAME_PAD)
        if (!name_is_zero(name_load(a.octets + i) ^ name_load(b.octets + i)))
            return false;
    return name_is_zero(name_load(a.octets + last) ^ name_load(b.octets + last));
}

/* Whether `name` equals the folded one. */
static inline bool name_equal(struct name_padded folded, struct name_padded name)
{
    const uint8_t *a = folded.octets, *b = name.octets;
    if (folded.len != name.len)
        return false;
    if (name.len < NAME_PAD)
        return name_is_zero(name_cut(name_load(a) ^ name_fold_block(name_load(b)), name.len));
    size_t last = name.len - NAME_PAD;
    for (size_t i = 0; i < last; i += NAME_PAD)
        if (!name_is_zero(name_load(a + i) ^ name_fold_block(name_load(b + i))))
            return false;
    return name_is_zero(name_load(a + last) ^ name_fold_block(name_load(b + last)));
}

/* Of a folded octet. Not isalnum(3), which asks the locale. */
static inline bool name_is_alnum(uint8_t octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9');
}

/* Whether a label (its length octet first) is a host's (RFC 952): letters, digits, and hyphens but
 * at the ends, where BIND refuses the whole zone for them. */
static inline bool name_is_host_label(const uint8_t *label)
{
    for (unsigned i = 1; i <= label[0]; i++) {
        uint8_t octet = name_fold_octet(label[i]);
        if (!name_is_alnum(octet) && (octet != '-' || i == 1 || i == label[0]))
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

/* Hash of a folded name: one multiplication a block. */
static inline uint64_t name_hash(const struct name_seed *seed, struct name_padded folded)
{
    const uint8_t *at = folded.octets;
    size_t len = folded.len;
    uint64_t hash = seed->word[0] ^ len;
    for (; len >= NAME_PAD; len -= NAME_PAD, at += NAME_PAD) {
        name_words words = (name_words)name_load(at);
        hash = name_mix(words[0] ^ seed->word[1], words[1] ^ hash);
    }
    name_words rest = (name_words)name_cut(name_load(at), len);
    return name_mix(name_mix(rest[0] ^ seed->word[1], rest[1] ^ hash), seed->word[2]);
}

/* Hash of a pair. Mixed twice: after one product pairs at even distances would still lie so, and
 * might fall in runs. */
static inline uint64_t name_hash_pair(const struct name_seed *seed, uint64_t a, uint64_t b)
{
    const uint64_t *word = seed->word;
    return name_mix(name_mix(a ^ word[0], b ^ word[1]), word[2] | 1);
}

/* Random secrets. SYSTEM. */
MUST_USE enum status name_seed_init(struct name_seed *out);

/* Read a name as a person writes it: labels of any octets but dots and backslashes, 1-63 each,
 * joined by dots, one at the end allowed. Gives the wire form with the root label. BAD_INPUT with
 * *why. */
MUST_USE enum status name_from_text(const char *text, struct name_buffer *out, struct detail *why);

/* Octets of the longest text, with its NUL: each octet may become \DDD. */
#define NAME_TEXT_MAX (NAME_MAX_LEN * 4 + 2)
/* Write a wire name (whole, or relative of `len` octets) as text with escapes (RFC 1035 5.1), a dot
 * after each label. */
void name_to_text(const uint8_t *name, size_t len, char out[NAME_TEXT_MAX]);

#endif
