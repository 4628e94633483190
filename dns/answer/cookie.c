#include "cookie.h"

#include "dns/wire/prefix.h"
#include "registry/base/siphash.h"

#include <arpa/inet.h>

#define COOKIE_VERSION 1

/* Seconds; RFC 9018 4.3. */
#define COOKIE_RENEW_S  1800
#define COOKIE_EXPIRE_S 3600
#define COOKIE_AHEAD_S  300

static void cookie_hash(const uint8_t secret[16], const uint8_t *client, const uint8_t *head,
                        const struct sockaddr *address, uint8_t out[8])
{
    uint8_t input[COOKIE_CLIENT + 8 + 16];
    memcpy(input, client, COOKIE_CLIENT);
    memcpy(input + COOKIE_CLIENT, head, 8);
    size_t len = 16 + (address ? prefix_octets(address, input + 16) : 0);
    siphash(secret, input, len, out);
}

void cookie_make(const uint8_t secret[16], const uint8_t client[COOKIE_CLIENT],
                 const struct sockaddr *address, uint32_t now_s, uint8_t out[COOKIE_SERVER])
{
    uint32_t big = htonl(now_s);
    out[0] = COOKIE_VERSION;
    memset(out + 1, 0, 3);
    memcpy(out + 4, &big, 4);
    cookie_hash(secret, client, out, address, out + 8);
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
    cookie_hash(secret, client, server, address, expected);
    for (unsigned i = 0; i < 8; i++)
        difference |= expected[i] ^ server[8 + i];
    *is_old = age_s > COOKIE_RENEW_S;
    return difference == 0;
}
