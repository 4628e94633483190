/* dns/edns.h - the OPT record of a reply: size, flags, cookie, NSID, keepalive, extended error and
 * the rest.
 *
 * Threads: pure. */
#ifndef DNS_EDNS_H
#define DNS_EDNS_H

#include "env.h"
#include "query.h"

struct view;

#define EDNS_MAX (11 + (4 + 24) + (4 + ANSWER_NSID_MAX) + (4 + 2) + (4 + 2) + (4 + 4) + (4 + 6))

/* What there is to say besides the query and the environment. */
struct edns {
    uint16_t rcode;          /* its upper bits stand in the OPT record */
    uint16_t ede;            /* RFC 8914 code; UINT16_MAX = none */
    const struct view *view; /* to tell version and expiry of, or NULL */
    uint32_t serial;         /* the version */
};

/* Octets that the OPT record will take, at most; 0 when the query had none. */
size_t edns_size(const struct answer_env *env, const struct query *query);

/* Write it at `at`, where edns_size() octets are free; *result learns of the cookie. Returns the
 * octets written. */
size_t edns_write(const struct answer_env *env, const struct query *query, const struct edns *edns,
                  uint8_t *at, struct answer_result *result);

#endif
