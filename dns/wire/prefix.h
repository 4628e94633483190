/* dns/wire/prefix.h - the network that a client belongs to: what limits count by.
 *
 * IPv4 /24 and IPv6 /56, as whoever has one address there usually has the others.
 *
 * Threads: pure. */
#ifndef DNS_WIRE_PREFIX_H
#define DNS_WIRE_PREFIX_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct prefix {
    uint64_t key;     /* the same for all of one network alone */
    bool is_loopback; /* 127/8, ::1 */
};

static inline struct prefix prefix_v4(uint32_t address)
{
    return (struct prefix){address >> 8, address >> 24 == 127};
}

static inline struct prefix prefix_v6(const struct in6_addr *address)
{
    uint32_t mapped;
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        memcpy(&mapped, address->s6_addr + 12, sizeof(mapped));
        return prefix_v4(ntohl(mapped));
    }
    uint64_t key = 1; /* apart from IPv4's */
    for (int i = 0; i < 7; i++)
        key = key << 8 | address->s6_addr[i];
    return (struct prefix){key, IN6_IS_ADDR_LOOPBACK(address)};
}

/* False: it is no address of either family. */
static inline bool prefix_of(const struct sockaddr *client, struct prefix *out)
{
    if (client->sa_family == AF_INET)
        *out =
            prefix_v4(ntohl(((const struct sockaddr_in *)(const void *)client)->sin_addr.s_addr));
    else if (client->sa_family == AF_INET6)
        *out = prefix_v6(&((const struct sockaddr_in6 *)(const void *)client)->sin6_addr);
    else
        return false;
    return true;
}

#endif
