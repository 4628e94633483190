#include "cookie.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define COOKIE_VERSION 1

/* Seconds; RFC 9018 4.3. */
#define COOKIE_RENEW_S  1800
#define COOKIE_EXPIRE_S 3600
#define COOKIE_AHEAD_S  300

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static inline uint64_t load(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline void sip_absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

void cookie_siphash(const uint8_t key[16], const uint8_t *data, size_t len, uint8_t out[8])
{
    uint64_t k0 = load(key), k1 = load(key + 8);
    uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                     k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    size_t whole = len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        sip_absorb(v, load(data + i));
    uint8_t last[8] = {0};
    memcpy(last, data + whole, len - whole);
    last[7] = (uint8_t)len;
    sip_absorb(v, load(last));
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        sip_round(v);
    uint64_t hash = v[0] ^ v[1] ^ v[2] ^ v[3];
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    hash = __builtin_bswap64(hash);
#endif
    memcpy(out, &hash, 8);
}

static size_t put_address(const struct sockaddr *address, uint8_t *out)
{
    if (address && address->sa_family == AF_INET) {
        memcpy(out, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return 4;
    }
    if (address && address->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        return 16;
    }
    return 0;
}

static void hash(const uint8_t secret[16], const uint8_t *client, const uint8_t *head,
                 const struct sockaddr *address, uint8_t out[8])
{
    uint8_t input[COOKIE_CLIENT + 8 + 16];
    memcpy(input, client, COOKIE_CLIENT);
    memcpy(input + COOKIE_CLIENT, head, 8);
    size_t len = 16 + put_address(address, input + 16);
    cookie_siphash(secret, input, len, out);
}

void cookie_make(const uint8_t secret[16], const uint8_t client[COOKIE_CLIENT],
                 const struct sockaddr *address, uint32_t now_s, uint8_t out[COOKIE_SERVER])
{
    uint32_t big = htonl(now_s);
    out[0] = COOKIE_VERSION;
    memset(out + 1, 0, 3);
    memcpy(out + 4, &big, 4);
    hash(secret, client, out, address, out + 8);
}

bool cookie_is_valid(const uint8_t secret[16], const uint8_t client[COOKIE_CLIENT],
                     const uint8_t *server, size_t server_len, const struct sockaddr *address,
                     uint32_t now_s, bool *is_old)
{
    /* RFC 9018 4.2: the three octets behind the version may be anything that was hashed. */
    if (server_len != COOKIE_SERVER || server[0] != COOKIE_VERSION)
        return false;
    uint32_t made_s;
    memcpy(&made_s, server + 4, 4);
    int32_t age_s = (int32_t)(now_s - ntohl(made_s)); /* RFC 1982 arithmetic */
    if (age_s > COOKIE_EXPIRE_S || age_s < -COOKIE_AHEAD_S)
        return false;
    uint8_t expected[8], difference = 0;
    hash(secret, client, server, address, expected);
    for (unsigned i = 0; i < 8; i++)
        difference |= expected[i] ^ server[8 + i];
    *is_old = age_s > COOKIE_RENEW_S;
    return difference == 0;
}
