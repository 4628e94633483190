#include "siphash.h"

#include <endian.h>
#include <string.h>

static inline uint64_t siphash_rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void siphash_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = siphash_rotate(v[1], 13) ^ v[0];
    v[3] = siphash_rotate(v[3], 16) ^ v[2];
    v[0] = siphash_rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = siphash_rotate(v[1], 17) ^ v[2];
    v[3] = siphash_rotate(v[3], 21) ^ v[0];
    v[2] = siphash_rotate(v[2], 32);
}

/* Little-endian on any machine: servers that share a secret must make the same cookies. */
static inline uint64_t siphash_load(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
    return le64toh(word);
}

static inline void siphash_absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    siphash_round(v);
    siphash_round(v);
    v[0] ^= word;
}

void siphash(const uint8_t key[16], const void *data, size_t len, uint8_t out[8])
{
    const uint8_t *octets = data;
    uint64_t k0 = siphash_load(key), k1 = siphash_load(key + 8);
    /* The paper's constants: "somepseudorandomlygeneratedbytes". */
    uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                     k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    size_t whole = len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        siphash_absorb(v, siphash_load(octets + i));
    /* What is left over, and on top the length: texts that end in zeros differ by it. Two rounds a
     * word and four at the end are SipHash-2-4, which DNS cookies ask for (RFC 9018). */
    uint8_t last[8] = {0};
    memcpy(last, octets + whole, len - whole);
    last[7] = (uint8_t)len;
    siphash_absorb(v, siphash_load(last));
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        siphash_round(v);
    uint64_t hash = htole64(v[0] ^ v[1] ^ v[2] ^ v[3]);
    memcpy(out, &hash, 8);
}
