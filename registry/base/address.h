/* registry/base/address.h - HOST:PORT, where a service is.
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

#include <stdbool.h>
#include <stdint.h>

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

/* 0.0.0.0 or [::], however written: an address to listen at, to which nobody can connect. */
bool address_is_unspecified(const struct address *location);

#endif
