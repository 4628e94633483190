/* dns/server/counters.h - what a worker counts, each in its own memory: one increment a fact.
 *
 * Threads: a worker writes its own with relaxed atomic stores; anyone may read. */
#ifndef DNS_SERVER_COUNTERS_H
#define DNS_SERVER_COUNTERS_H

#include "dns/answer/answer_types.h"
#include "dns/wire/query.h"
#include "zones/name/rr.h"

/* Types that are counted by themselves; the rest is OTHER. X(name) */
#define COUNTERS_TYPE_LIST(X)                                                                      \
    X(A) X(NS) X(SOA) X(PTR) X(TXT) X(AAAA) X(SRV) X(DS) X(SVCB) X(HTTPS) X(IXFR) X(AXFR) X(ANY)

enum counters_type {
#define COUNTERS_ENUM(name) COUNTERS_TYPE_##name,
    COUNTERS_TYPE_LIST(COUNTERS_ENUM)
#undef COUNTERS_ENUM
        COUNTERS_TYPE_OTHER,
    COUNTERS_TYPE_COUNT
};

#define COUNTERS_RCODES 24 /* 0-23: BADVERS 16, BADCOOKIE 23 */

/* Single facts. X(field, help text of the metric) */
#define COUNTERS_FACT_LIST(X)                                                                      \
    X(truncated, "answers with TC set")                                                            \
    X(sampled, "answers that show a window of a set too large for a message")                      \
    X(dropped, "messages that earn no reply: too short, or responses")                             \
    X(malformed, "messages answered with FORMERR")                                                 \
    X(refused_acl, "queries refused by --allow-query")                                             \
    X(rate_limited, "answers rate_limited or cut by the rate limit")                               \
    X(cookies_valid, "queries with a server cookie of ours")                                       \
    X(cookies_other, "queries with a client cookie alone or a stale or foreign server cookie")     \
    X(send_failed, "answers that the kernel did not take")                                         \
    X(tcp_accepted, "TCP connections accepted")                                                    \
    X(tcp_closed_full, "TCP connections closed to make room")                                      \
    X(tcp_closed_idle, "TCP connections closed for being idle or slow")

struct counters {
    uint64_t queries[2][COUNTERS_TYPE_COUNT]; /* by enum query_transport and type */
    uint64_t rcodes[2][COUNTERS_RCODES];
#define COUNTERS_FIELD(field, help) uint64_t field;
    COUNTERS_FACT_LIST(COUNTERS_FIELD)
#undef COUNTERS_FIELD
};

/* One more; only for the worker that owns the counter. */
static inline void counters_bump(uint64_t *counter)
{
    /* No read-modify-write: nobody else writes. */
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

/* The row of a type below 256, plus one; zero = not counted by itself. */
extern const uint8_t counters_rows[256];

static inline enum counters_type counters_type_of(uint16_t type)
{
    unsigned row = type < sizeof(counters_rows) ? counters_rows[type] : 0;
    return row > 0 ? (enum counters_type)(row - 1) : COUNTERS_TYPE_OTHER;
}

/* A query was answered: its type and its cookie. */
static inline void counters_query(struct counters *counters, enum query_transport transport,
                                  const struct answer_result *result)
{
    counters_bump(&counters->queries[transport][counters_type_of(result->type)]);
    if (result->has_cookie)
        counters_bump(result->has_valid_cookie ? &counters->cookies_valid
                                               : &counters->cookies_other);
}

/* Then, unless the rate limit drops the reply: its rcode, and whether it is truncated, a window or a
 * FORMERR. */
static inline void counters_reply(struct counters *counters, enum query_transport transport,
                                  const struct answer_result *result)
{
    unsigned rcode = result->rcode < COUNTERS_RCODES ? result->rcode : COUNTERS_RCODES - 1;
    counters_bump(&counters->rcodes[transport][rcode]);
    if (result->is_truncated)
        counters_bump(&counters->truncated);
    if (result->is_sampled)
        counters_bump(&counters->sampled);
    if (rcode == RCODE_FORMERR)
        counters_bump(&counters->malformed);
}

/* Add a worker's to a sum of the caller's own; any thread. */
void counters_add(struct counters *sum, const struct counters *counters);

#endif
