/* zones/name/rr.h - the numbers of DNS, each written once: IANA's registries as far as empusa knows
 * them.
 *
 * They bear the names that the RFCs and everybody else give them, without a module's prefix. Tests
 * have their own copy (tests/reader.h): a wrong number here does not agree with itself. */
#ifndef ZONES_NAME_RR_H
#define ZONES_NAME_RR_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Types. X(name, number) */
#define RR_TYPE_LIST(X)                                                                            \
    X(A, 1)                                                                                        \
    X(NS, 2)                                                                                       \
    X(SOA, 6)                                                                                      \
    X(PTR, 12)                                                                                     \
    X(HINFO, 13)                                                                                   \
    X(TXT, 16)                                                                                     \
    X(AAAA, 28)                                                                                    \
    X(SRV, 33)                                                                                     \
    X(OPT, 41)                                                                                     \
    X(DS, 43)                                                                                      \
    X(SVCB, 64)                                                                                    \
    X(HTTPS, 65)                                                                                   \
    X(TSIG, 250)                                                                                   \
    X(IXFR, 251)                                                                                   \
    X(AXFR, 252)                                                                                   \
    X(ANY, 255)

enum {
#define RR_TYPE(name, number) TYPE_##name = number,
    RR_TYPE_LIST(RR_TYPE)
#undef RR_TYPE
};

enum { CLASS_IN = 1, CLASS_CH = 3, CLASS_ANY = 255 };

enum { OPCODE_QUERY = 0, OPCODE_NOTIFY = 4, OPCODE_UPDATE = 5 };

/* From 16 on the OPT record or TSIG holds the upper bits. */
enum {
    RCODE_NOERROR = 0,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
    RCODE_NOTAUTH = 9,
    RCODE_BADVERS = 16,
    RCODE_BADKEY = 17
};

/* Options of the OPT record. */
enum {
    EDNS_OPTION_NSID = 3,
    EDNS_OPTION_EXPIRE = 9,
    EDNS_OPTION_COOKIE = 10,
    EDNS_OPTION_KEEPALIVE = 11,
    EDNS_OPTION_EDE = 15,
    EDNS_OPTION_ZONEVERSION = 19
};

/* Extended errors, RFC 8914. */
enum {
    EDE_STALE = 3,
    EDE_NOT_READY = 14,
    EDE_PROHIBITED = 18,
    EDE_NOT_AUTHORITATIVE = 20,
    EDE_NOT_SUPPORTED = 21,
    EDE_INVALID_DATA = 24,
    EDE_NONE = UINT16_MAX /* no number of IANA's: there is nothing to tell */
};

/* Numbers as they stand in messages: big-endian, at any address. */
static inline void rr_put16(uint8_t *at, uint32_t value)
{
    uint16_t big = htobe16((uint16_t)value);
    memcpy(at, &big, sizeof(big));
}

static inline void rr_put32(uint8_t *at, uint32_t value)
{
    uint32_t big = htobe32(value);
    memcpy(at, &big, sizeof(big));
}

static inline void rr_put64(uint8_t *at, uint64_t value)
{
    uint64_t big = htobe64(value);
    memcpy(at, &big, sizeof(big));
}

static inline uint16_t rr_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t rr_get32(const uint8_t *at)
{
    return (uint32_t)rr_get16(at) << 16 | rr_get16(at + 2);
}

#endif
