#include "cookie.h"

#include "dns/wire/prefix.h"
#include "registry/base/siphash.h"
#include "zones/name/rr.h"

#define COOKIE_VERSION 1

/* Seconds; RFC 9018 4.3. */
#define COOKIE_RENEW_S  1800
#define COOKIE_EXPIRE_S 3600
#define COOKIE_AHEAD_S  300

/* RFC 9018 4.4: of the client's address, not of its port, which is another with each question. */
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
    rr_put32(out, COOKIE_VERSION << 24);
    rr_put32(out + 4, now_s);
    cookie_hash(secret, client, out, address, out + 8);
}

bool cookie_is_valid(const uint8_t secret[16], const uint8_t client[COOKIE_CLIENT],
                     const uint8_t *server, size_t server_len, const struct sockaddr *address,
                     uint32_t now_s, bool *is_old)
{
    /* RFC 9018 4.2: the three octets behind the version may be anything that was hashed. */
    if (server_len != COOKIE_SERVER || server[0] != COOKIE_VERSION)
        return false;
    int32_t age_s = (int32_t)(now_s - rr_get32(server + 4)); /* RFC 1982 arithmetic */
    if (age_s > COOKIE_EXPIRE_S || age_s < -COOKIE_AHEAD_S)
        return false;
    uint8_t expected[8], difference = 0;
    cookie_hash(secret, client, server, address, expected);
    /* All eight, whatever they are: the time that comparing takes must not say how many were right. */
    for (unsigned i = 0; i < 8; i++)
        difference |= expected[i] ^ server[8 + i];
    *is_old = age_s > COOKIE_RENEW_S;
    return difference == 0;
}
