#include "address.h"

#include "utf8.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* RFC 1035 2.3.4: a label has 63 octets and a name 255, with an octet of length before each label
 * and the root's: as text without a last dot that is 253. */
#define HOST_NAME_MAX_LEN 253
#define LABEL_MAX_LEN     63
#define PORT_DIGITS_MAX   5

static bool address_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool address_is_host_char(char c)
{
    return address_is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '_';
}

static enum status address_parse_port(const char *text, size_t len, uint16_t *out,
                                      struct detail *why)
{
    uint32_t port = 0;
    /* One digit more than a port has, and no further: the number stays within 32 bits, and the
     * length says what is wrong. */
    for (size_t i = 0; i < len && i <= PORT_DIGITS_MAX; i++) {
        if (!address_is_digit(text[i]))
            return detail_set(why, STATUS_BAD_INPUT, "the port is not a number");
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    if (len == 0)
        return detail_set(why, STATUS_BAD_INPUT, "the port is missing");
    if (len > PORT_DIGITS_MAX || port == 0 || port > UINT16_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "the port is not within 1-65535");
    *out = (uint16_t)port;
    return STATUS_OK;
}

/* Four numbers of digits and dots; what else there might be the caller has refused. By hand, as a
 * million keys have one. No leading zeros: inet_aton() and its like read 010 as 8. */
static bool address_parse_ipv4(const char *text, size_t len, uint8_t out[4])
{
    size_t at = 0;
    for (unsigned i = 0; i < 4; i++) {
        size_t start = at;
        unsigned number = 0;
        while (at < len && text[at] != '.' && at - start < 3)
            number = number * 10 + (unsigned)(text[at++] - '0');
        bool has_end = i < 3 ? at < len && text[at] == '.' : at == len;
        if (!has_end || at == start || number > 255 || (text[start] == '0' && at - start > 1))
            return false;
        out[i] = (uint8_t)number;
        at++;
    }
    return true;
}

/* inet_pton() wants a string. */
static bool address_parse_ipv6(const char *text, size_t len, uint8_t out[16])
{
    char copy[INET6_ADDRSTRLEN];
    if (len >= sizeof(copy) || memchr(text, '\0', len))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return inet_pton(AF_INET6, copy, out) == 1;
}

/* "[IPV6]". A v4-mapped address is the IPv4 address it stands for. */
static enum status address_parse_brackets(const char *text, size_t len, struct address *out,
                                          struct detail *why)
{
    struct in6_addr address;
    if (!address_parse_ipv6(text + 1, len - 2, address.s6_addr))
        return detail_set(why, STATUS_BAD_INPUT,
                          "between the brackets is no IPv6 address without zone index");
    bool is_mapped = IN6_IS_ADDR_V4MAPPED(&address);
    out->kind = is_mapped ? HOST_KIND_IPV4 : HOST_KIND_IPV6;
    if (is_mapped)
        memcpy(out->address, address.s6_addr + 12, 4);
    else
        memcpy(out->address, address.s6_addr, 16);
    out->host = text + 1;
    out->host_len = (uint8_t)(len - 2);
    return STATUS_OK;
}

/* RFC 952 and 1123 2.1: no hyphen at the ends. They know no underscore, but names of real hosts
 * have it. */
static enum status address_check_label(const char *label, size_t len, struct detail *why)
{
    if (len == 0)
        return detail_set(why, STATUS_BAD_INPUT, "the host has an empty label");
    if (len > LABEL_MAX_LEN)
        return detail_set(why, STATUS_BAD_INPUT, "a label of the host is longer than %d octets",
                          LABEL_MAX_LEN);
    if (label[0] == '-' || label[len - 1] == '-')
        return detail_set(why, STATUS_BAD_INPUT, "a label of the host begins or ends in '-'");
    return STATUS_OK;
}

/* The characters of a host without brackets, and whether they are only digits and dots. */
static enum status address_check_characters(const char *text, size_t len, bool *is_numeric,
                                            struct detail *why)
{
    bool numeric = true;
    for (size_t i = 0; i < len; i++) {
        if (address_is_digit(text[i]) || text[i] == '.')
            continue;
        numeric = false;
        if (text[i] == ':')
            return detail_set(why, STATUS_BAD_INPUT,
                              "a ':' in the host: an IPv6 address goes into brackets");
        if (!address_is_host_char(text[i])) {
            char shown[UTF8_SHOW_MAX + 1];
            utf8_show(text + i, 1, shown, sizeof(shown));
            return detail_set(why, STATUS_BAD_INPUT, "the host has a '%s' in it", shown);
        }
    }
    *is_numeric = numeric;
    return STATUS_OK;
}

static enum status address_parse_name(const char *text, size_t len, struct address *out,
                                      struct detail *why)
{
    bool has_trailing_dot = text[len - 1] == '.';
    size_t host_len = has_trailing_dot ? len - 1 : len;
    if (host_len > HOST_NAME_MAX_LEN)
        return detail_set(why, STATUS_BAD_INPUT, "the host is longer than %d octets",
                          HOST_NAME_MAX_LEN);
    for (size_t at = 0; at <= host_len;) {
        const char *dot = memchr(text + at, '.', host_len - at);
        size_t end = dot ? (size_t)(dot - text) : host_len;
        enum status status = address_check_label(text + at, end - at, why);
        if (status != STATUS_OK)
            return status;
        at = end + 1;
    }
    out->kind = HOST_KIND_NAME;
    out->host = text;
    out->host_len = (uint8_t)host_len;
    out->is_dotted = has_trailing_dot || memchr(text, '.', host_len);
    return STATUS_OK;
}

static enum status address_parse_host(const char *text, size_t len, struct address *out,
                                      struct detail *why)
{
    if (len == 0)
        return detail_set(why, STATUS_BAD_INPUT, "the host is missing");
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']')
        return address_parse_brackets(text, len, out, why);
    bool is_numeric = false;
    enum status status = address_check_characters(text, len, &is_numeric, why);
    if (status != STATUS_OK)
        return status;
    /* Only digits and dots are an address or nothing: what looks up "10.1" as a name takes it for
     * 10.0.0.1. */
    if (!is_numeric)
        return address_parse_name(text, len, out, why);
    if (!address_parse_ipv4(text, len, out->address))
        return detail_set(why, STATUS_BAD_INPUT,
                          "the host is neither a name nor an IPv4 address of four numbers");
    out->kind = HOST_KIND_IPV4;
    out->host = text;
    out->host_len = (uint8_t)len;
    return STATUS_OK;
}

enum status address_parse(const char *text, size_t len, struct address *out, struct detail *why)
{
    struct address location = {.kind = HOST_KIND_NAME};
    if (!text || len == 0)
        return detail_set(why, STATUS_BAD_INPUT, "no ':' and port after the host");
    /* The last ':', as an IPv6 address has others; one before the ']' is of the address alone. */
    const char *colon = memrchr(text, ':', len), *bracket = memrchr(text, ']', len);
    if (len > ADDRESS_TEXT_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "longer than %d octets", ADDRESS_TEXT_MAX);
    /* Said by itself: else it would be a fault of the port, where nobody looks for it. */
    if (memmem(text, len, ":/", 2))
        return detail_set(why, STATUS_BAD_INPUT, "a URL, not HOST:PORT");
    if (!colon || (bracket && bracket > colon))
        return detail_set(why, STATUS_BAD_INPUT, "no ':' and port after the host");
    size_t host_len = (size_t)(colon - text);
    enum status status = address_parse_host(text, host_len, &location, why);
    if (status == STATUS_OK)
        status = address_parse_port(colon + 1, len - host_len - 1, &location.port, why);
    if (status == STATUS_OK)
        *out = location;
    return status;
}

bool address_parse_ip(const char *text, size_t len, struct address *out)
{
    uint8_t octets[16];
    bool is_v4 = len == strspn(text, "0123456789.") && address_parse_ipv4(text, len, octets);
    if (!is_v4 && !address_parse_ipv6(text, len, octets))
        return false;
    out->kind = is_v4 ? HOST_KIND_IPV4 : HOST_KIND_IPV6;
    memcpy(out->address, octets, is_v4 ? 4 : 16);
    return true;
}

/* Digits that are no more than `max`. */
static bool address_parse_number(const char *text, size_t digits_max, unsigned max, unsigned *out)
{
    size_t len = strlen(text);
    unsigned value = 0;
    if (len == 0 || len > digits_max)
        return false;
    for (; *text; text++) {
        if (!address_is_digit(*text))
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *out = value;
    return value <= max;
}

/* Behind "[ADDR]" the ':' before the port, or NULL; false: something else. */
static bool address_split_brackets(const char **text, size_t *len, const char **colon)
{
    const char *close = strchr(*text, ']');
    if (!close || (close[1] != ':' && close[1] != '\0'))
        return false;
    *colon = close[1] == ':' ? close + 1 : NULL;
    *text += 1;
    *len = (size_t)(close - *text);
    return true;
}

static bool address_parse_ip_port(const char *text, struct address *out, unsigned *port)
{
    size_t len = strlen(text);
    /* Before a ':' is sought, which here would be one of the address. */
    if (address_parse_ip(text, len, out)) /* "::1" alone */
        return true;
    bool is_bracketed = text[0] == '[';
    const char *colon = strrchr(text, ':');
    if (is_bracketed && !address_split_brackets(&text, &len, &colon))
        return false;
    if (!is_bracketed && colon)
        len = (size_t)(colon - text);
    return address_parse_ip(text, len, out) &&
           is_bracketed ==
               (out->kind == HOST_KIND_IPV6) && /* they are for IPv6, which needs them */
           (!colon || address_parse_number(colon + 1, PORT_DIGITS_MAX, UINT16_MAX, port));
}

enum status address_parse_listen(const char *text, uint16_t default_port,
                                 struct sockaddr_storage *out, struct detail *why)
{
    struct address address;
    unsigned port = default_port;
    if (!address_parse_ip_port(text, &address, &port))
        return detail_set(why, STATUS_BAD_INPUT,
                          "not an address: IPV4:PORT, [IPV6]:PORT, or an address alone");
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    memset(out, 0, sizeof(*out));
    if (address.kind == HOST_KIND_IPV4) {
        memcpy(&v4.sin_addr, address.address, sizeof(v4.sin_addr));
        memcpy(out, &v4, sizeof(v4));
    } else {
        memcpy(&v6.sin6_addr, address.address, sizeof(v6.sin6_addr));
        memcpy(out, &v6, sizeof(v6));
    }
    return STATUS_OK;
}

static bool address_has_bits_beyond(const uint8_t address[16], unsigned bits)
{
    for (unsigned bit = bits; bit < 128; bit++)
        if (address[bit / 8] & (0x80 >> bit % 8))
            return true;
    return false;
}

enum status address_parse_prefix(const char *text, struct address_prefix *out, struct detail *why)
{
    struct address address;
    struct address_prefix prefix = {.address = {[10] = 0xff, [11] = 0xff}};
    const char *slash = strchr(text, '/');
    if (!address_parse_ip(text, slash ? (size_t)(slash - text) : strlen(text), &address))
        return detail_set(why, STATUS_BAD_INPUT, "not an address or prefix");
    bool is_v4 = address.kind == HOST_KIND_IPV4;
    unsigned max = is_v4 ? 32 : 128, bits = max;
    /* A length has one form, too: no /08. */
    bool has_zero = slash && slash[1] == '0' && slash[2] != '\0';
    if (slash && (has_zero || !address_parse_number(slash + 1, 3, max, &bits)))
        return detail_set(why, STATUS_BAD_INPUT, "its length is not 0-%u", max);
    /* IPv4 is compared as v4-mapped: one list serves sockets of both families. */
    bits += 128 - max;
    memcpy(prefix.address + (is_v4 ? 12 : 0), address.address, is_v4 ? 4 : 16);
    if (address_has_bits_beyond(prefix.address, bits))
        return detail_set(why, STATUS_BAD_INPUT, "has bits set beyond its length");
    prefix.bits = (uint8_t)bits;
    *out = prefix;
    return STATUS_OK;
}

bool address_is_unspecified(const struct address *location)
{
    static const uint8_t zeros[sizeof(location->address)];
    size_t len = location->kind == HOST_KIND_IPV4 ? 4 : sizeof(zeros);
    return location->kind != HOST_KIND_NAME && memcmp(location->address, zeros, len) == 0;
}
