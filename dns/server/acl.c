#include "acl.h"

#include "dns/wire/prefix.h"

#define V4_MAPPED_BITS 96 /* ::ffff:0:0/96 */

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

/* In one form: IPv4 addresses as v4-mapped ones, which is how address_parse_prefix() gives
 * prefixes. */
bool acl_has(const struct acl *acl, const struct sockaddr *address)
{
    uint8_t found[16], mapped[16] = {[10] = 0xff, [11] = 0xff};
    size_t len = prefix_octets(address, found);
    memcpy(mapped + 16 - len, found, len);
    for (unsigned i = 0; len > 0 && i < acl->count; i++) {
        const struct address_prefix *prefix = &acl->prefixes[i];
        /* "::/0" means every IPv6 client, although IPv4 is stored inside it. */
        if ((len == 16 || prefix->bits >= V4_MAPPED_BITS) && acl_matches(prefix, mapped))
            return true;
    }
    return false;
}
