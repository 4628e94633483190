/* dns/server/acl.h - lists of address prefixes: who may ask.
 *
 * IPv4 clients of an IPv6 socket (v4-mapped) count as IPv4. Threads: pure. */
#ifndef DNS_SERVER_ACL_H
#define DNS_SERVER_ACL_H

#include "registry/base/address.h"

#define ACL_MAX 64

struct acl {
    struct address_prefix prefixes[ACL_MAX];
    unsigned count;
};

/* Add "10.0.0.0/8", "fd00::/8" or a single address. BAD_INPUT: not a prefix, bits set beyond its
 * length, or more than ACL_MAX; *why says which. */
MUST_USE enum status acl_add(struct acl *acl, const char *text, struct detail *why);

/* Whether the address is in the list. An empty list holds nobody. */
bool acl_has(const struct acl *acl, const struct sockaddr *address);

#endif
