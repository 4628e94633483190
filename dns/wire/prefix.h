/* dns/wire/prefix.h - the network that a client belongs to: what limits count by.
 *
 * IPv4 /24 and IPv6 /56, as whoever has one address there usually has the others.
 *
 * Threads: pure. */
#ifndef DNS_WIRE_PREFIX_H
#define DNS_WIRE_PREFIX_H

#include <endian.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct prefix {
    uint64_t key;     /* the same for all of one network alone */
    bool is_loopback; /* 127/8, ::1 */
};

/* The octets of a client's address: 4, also of a v4-mapped one, or 16. 0: it is of neither family.
 */
static inline size_t prefix_octets(const struct sockaddr *client, uint8_t out[16])
{
    const struct sockaddr_in *in = (const void *)client;
    const struct sockaddr_in6 *in6 = (const void *)client;
    size_t len = 4;
    if (client->sa_family == AF_INET) {
        memcpy(out, &in->sin_addr, len);
        return len;
    }
    if (client->sa_family != AF_INET6)
        return 0;
    if (!IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
        len = 16;
    memcpy(out, in6->sin6_addr.s6_addr + 16 - len, len);
    return len;
}

/* False: it is no address of either family. */
static inline bool prefix_of(const struct sockaddr *client, struct prefix *out)
{
    struct in6_addr found;
    uint32_t v4;
    uint64_t v6;
    size_t len = prefix_octets(client, found.s6_addr);
    if (len == 4) {
        memcpy(&v4, found.s6_addr, sizeof(v4));
        *out = (struct prefix){be32toh(v4) >> 8, be32toh(v4) >> 24 == 127};
    } else if (len == 16) {
        memcpy(&v6, found.s6_addr, sizeof(v6));
        /* One bit more keeps the keys apart from IPv4's. */
        *out = (struct prefix){be64toh(v6) >> 8 | UINT64_C(1) << 56, IN6_IS_ADDR_LOOPBACK(&found)};
    }
    return len > 0;
}

#endif
