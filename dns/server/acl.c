#include "acl.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define V4_MAPPED_BITS 96 /* ::ffff:0:0/96 */

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

/* One to three digits, at most `max`, no leading zero. */
static bool acl_read_bits(const char *text, unsigned max, unsigned *out)
{
    size_t len = strlen(text);
    unsigned value = 0;
    if (len < 1 || len > 3 || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > max)
        return false;
    *out = value;
    return true;
}

static bool acl_read_address(const char *text, uint8_t out[16], bool *is_v4)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        memcpy(out, v4_mapped, sizeof(v4_mapped));
        memcpy(out + sizeof(v4_mapped), &v4, sizeof(v4));
        *is_v4 = true;
        return true;
    }
    *is_v4 = false;
    return inet_pton(AF_INET6, text, out) == 1;
}

static bool acl_has_bits_beyond(const uint8_t address[16], unsigned bits)
{
    for (unsigned bit = bits; bit < 128; bit++)
        if (address[bit / 8] & (0x80 >> bit % 8))
            return true;
    return false;
}

enum status acl_add(struct acl *acl, const char *text, struct detail *why)
{
    struct acl_prefix prefix;
    char host[INET6_ADDRSTRLEN];
    bool is_v4 = false;
    const char *slash = strchr(text, '/');
    size_t host_len = slash ? (size_t)(slash - text) : strlen(text);

    if (host_len >= sizeof(host))
        return detail_set(why, STATUS_BAD_INPUT, "not an address or prefix");
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    if (!acl_read_address(host, prefix.address, &is_v4))
        return detail_set(why, STATUS_BAD_INPUT, "not an address or prefix");

    unsigned max = is_v4 ? 32 : 128, bits = max;
    if (slash && !acl_read_bits(slash + 1, max, &bits))
        return detail_set(why, STATUS_BAD_INPUT, "its length is not 0-%u", max);
    bits += 128 - max;
    if (acl_has_bits_beyond(prefix.address, bits))
        return detail_set(why, STATUS_BAD_INPUT, "has bits set beyond its length");
    if (acl->count == ACL_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "more than %d prefixes", ACL_MAX);
    prefix.bits = (uint8_t)bits;
    acl->prefixes[acl->count++] = prefix;
    return STATUS_OK;
}

static bool acl_matches(const struct acl_prefix *prefix, const uint8_t address[16])
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
        const struct acl_prefix *prefix = &acl->prefixes[i];
        if ((!is_v4 || prefix->bits >= V4_MAPPED_BITS) && acl_matches(prefix, octets))
            return true;
    }
    return false;
}
