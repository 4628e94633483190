/* dns/answer/edns.h - the OPT record of a reply: size, flags, cookie, NSID, keepalive, extended
 * error and the rest.
 *
 * Threads: pure. */
#ifndef DNS_ANSWER_EDNS_H
#define DNS_ANSWER_EDNS_H

#include "reply.h"

#define EDNS_MAX (11 + (4 + 24) + (4 + ANSWER_NSID_MAX) + (4 + 2) + (4 + 2) + (4 + 4) + (4 + 6))

/* What there is to say besides the query and the environment. */
struct edns {
    uint16_t rcode;          /* its upper bits stand in the OPT record */
    uint16_t ede;            /* RFC 8914 code; UINT16_MAX = none */
    const struct view *view; /* to tell version and expiry of, or NULL */
};

#define EDNS_FIXED 11

/* Octets that the options of the bits in `wants` will take, at most. */
size_t edns_size_of_options(const struct answer_env *env, unsigned wants);

/* Octets that the OPT record will take, at most; 0 when the query had none. */
static inline size_t edns_size(const struct answer_env *env, const struct query *query)
{
    if (!query->has_edns)
        return 0;
    size_t size = EDNS_FIXED + 6; /* an extended error may come at any time */
    return query->wants ? size + edns_size_of_options(env, query->wants) : size;
}

/* Write what the OPT record holds besides its fixed part; `at` is where. Returns where it ends. */
uint8_t *edns_put_options(const struct answer_env *env, const struct query *query,
                          const struct edns *edns, uint8_t *at, struct answer_result *result);

/* Write it at `at`, where edns_size() octets are free, for a query that has one; *result learns of
 * the cookie. Returns the octets written. */
static inline size_t edns_write(const struct answer_env *env, const struct query *query,
                                const struct edns *edns, uint8_t *at, struct answer_result *result)
{
    uint32_t flags = (uint32_t)query->wants_dnssec << 15;
    /* The root, the type, our size, the rcode's upper bits, version 0, flags, length. */
    rr_put64(at, (uint64_t)TYPE_OPT << 40 | (uint64_t)env->max_udp_size << 24 |
                     (uint64_t)(edns->rcode >> 4) << 16 | flags >> 8);
    rr_put32(at + 7, flags << 16);
    bool has_options = query->wants != 0 || edns->ede != EDE_NONE;
    if (!has_options || edns->rcode == RCODE_BADVERS) /* another version's mean nothing here */
        return EDNS_FIXED;
    const uint8_t *end = edns_put_options(env, query, edns, at + EDNS_FIXED, result);
    rr_put16(at + EDNS_FIXED - 2, (uint32_t)(end - at - EDNS_FIXED));
    return (size_t)(end - at);
}

#endif
