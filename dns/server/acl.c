#include "acl.h"

#include <netinet/in.h>
#include <string.h>

#define V4_MAPPED_BITS 96 /* ::ffff:0:0/96 */

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

enum status acl_add(struct acl *acl, const char *text, struct detail *why)
{
    struct address_prefix prefix;
    enum status status = address_parse_prefix(text, &prefix, why);
    if (status != STATUS_OK)
        return status;
    if (acl->count == ACL_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "more than %d prefixes", ACL_MAX);
    acl->prefixes[acl->count++] = prefix;
    return STATUS_OK;
}

static bool acl_matches(const struct address_prefix *prefix, const uint8_t address[16])
{
    unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;
    if (memcmp(prefix->address, address, whole) != 0)
        return false;
    return rest == 0 || ((prefix->address[whole] ^ address[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

bool acl_has(const struct acl *acl, const struct sockaddr *address)
{
    uint8_t octets[16];

    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        memcpy(octets, v4_mapped, sizeof(v4_mapped));
        memcpy(octets + sizeof(v4_mapped), &in->sin_addr, sizeof(in->sin_addr));
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        memcpy(octets, &in6->sin6_addr, sizeof(octets));
    } else {
        return false;
    }

    /* "::/0" means every IPv6 client, although IPv4 is stored inside it. */
    bool is_v4 = memcmp(octets, v4_mapped, sizeof(v4_mapped)) == 0;
    for (unsigned i = 0; i < acl->count; i++) {
        const struct address_prefix *prefix = &acl->prefixes[i];
        if ((!is_v4 || prefix->bits >= V4_MAPPED_BITS) && acl_matches(prefix, octets))
            return true;
    }
    return false;
}
