/* registry/base/address.h - HOST:PORT, ADDR:PORT and ADDR/BITS: every address that a person, a file
 * or etcd may give.
 *
 * A service is at a location:
 *
 *   HOST:PORT      labels of [A-Za-z0-9_-], 1-63 octets each, none beginning or ending
 *                  in '-', 253 in all, one trailing dot allowed
 *   IPV4:PORT      four decimal numbers without leading zeros; a host of only digits
 *                  and dots must be one
 *   [IPV6]:PORT    RFC 4291 text, no zone index; a v4-mapped address counts as IPv4
 *   PORT           1-5 digits, 1-65535
 *
 * Threads: pure. */
#ifndef REGISTRY_BASE_ADDRESS_H
#define REGISTRY_BASE_ADDRESS_H

#include "status.h"

#include <sys/socket.h>

enum host_kind { HOST_KIND_NAME, HOST_KIND_IPV4, HOST_KIND_IPV6 };

struct address {
    enum host_kind kind;
    uint8_t address[16]; /* network order; 4 octets used for IPv4, unset for a name */
    const char *host;    /* into the text: the host without brackets or trailing dot */
    uint8_t host_len;
    uint16_t port;
    bool is_dotted; /* a name with a dot in it or after it: absolute */
};

#define ADDRESS_TEXT_MAX 260 /* octets; no good location is longer */

/* Read a location. Does not allocate; out->host points into `text`.
 * BAD_INPUT: not a location; *why (may be NULL) names the fault in a few words. */
MUST_USE enum status address_parse(const char *text, size_t len, struct address *out,
                                   struct detail *why);

/* Read an IP address and nothing else, without brackets and zone index: kind and address of *out,
 * a v4-mapped address as the IPv6 that it is. False: it is none; *out is untouched. */
bool address_parse_ip(const char *text, size_t len, struct address *out);

/* Read "IPV4:PORT", "[IPV6]:PORT" or an address alone, with brackets or without, which gets
 * `default_port`: where to listen, so port 0 means any. BAD_INPUT. */
MUST_USE enum status address_parse_listen(const char *text, uint16_t default_port,
                                          struct sockaddr_storage *out, struct detail *why);

/* The addresses that share their first bits. */
struct address_prefix {
    uint8_t address[16]; /* v4-mapped for IPv4; bits beyond the prefix are zero */
    uint8_t bits;        /* 0-128 */
};

/* Read "10.0.0.0/8", "fd00::/8" or a single address. BAD_INPUT: not a prefix, or bits are set
 * beyond its length. */
MUST_USE enum status address_parse_prefix(const char *text, struct address_prefix *out,
                                          struct detail *why);

/* 0.0.0.0 or [::], however written: an address to listen at, to which nobody can connect. */
bool address_is_unspecified(const struct address *location);

#endif
