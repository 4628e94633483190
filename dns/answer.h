/* dns/answer.h - zone + environment + query -> reply, as a pure function.
 *
 * A worker calls, for a batch: query_read() and answer_prepare() for all, answer_fetch() for all,
 * then answer() for each: the memory that one query needs arrives while the others are looked at.
 * Tests, fuzzers and benchmarks call the same functions. Nothing here allocates, locks, logs, reads
 * a clock or makes a system call.
 *
 * Threads: any number of readers that are online (zones/rcu.h); one scratch to a thread. */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "query.h"

#include <stddef.h>
#include <stdint.h>

struct zone;

#define ANSWER_MAX 65535 /* octets of a message */

/* What the server knows about the zone's data. */
enum answer_state {
    ANSWER_NOT_READY, /* nothing loaded yet: SERVFAIL, EDE 14 */
    ANSWER_FRESH,
    ANSWER_STALE,  /* etcd is away: TTLs at most 30 s, EDE 3 */
    ANSWER_EXPIRED /* etcd has been away too long: SERVFAIL, EDE 24 */
};

#define ANSWER_SECRETS_MAX 2
#define ANSWER_NSID_MAX    128

/* Everything but the zone and the query that an answer depends on. Immutable once published. */
struct answer_env {
    enum answer_state state;
    uint32_t now_s; /* wall clock, for cookies; the worker sets it in its own copy, once a batch */
    uint16_t max_udp_size;   /* our limit of a UDP reply: 1232 */
    uint16_t tcp_idle_100ms; /* for the keepalive option (RFC 7828); 0 = none */
    uint16_t nsid_len;
    uint8_t nsid[ANSWER_NSID_MAX];
    uint8_t secret_count; /* cookie secrets: the first makes cookies, all are accepted */
    uint8_t secrets[ANSWER_SECRETS_MAX][16];
};

/* A thread's working memory for removing duplicates. */
struct answer_scratch;
struct answer_scratch *answer_scratch_new(void); /* NULL without memory */
void answer_scratch_free(struct answer_scratch *scratch);

/* What happened, for counters and rate limits. */
struct answer_result {
    size_t len;        /* octets of the reply; 0 = send nothing */
    uint16_t rcode;    /* with the extended bits */
    uint16_t type;     /* of the question; 0 = none */
    bool is_truncated; /* TC is set */
    bool is_window;    /* a set too large for any message was cut to a window */
    bool has_valid_cookie, has_cookie;
    bool is_transfer; /* AXFR or IXFR over TCP for our zone: nothing was written; see transfer.h */
};

/* Whether the name lies in the zone, its hash, and a prefetch of its slot. */
void answer_prepare(const struct zone *zone, struct query *query);
/* Prefetch the entry behind the slot. */
void answer_fetch(const struct zone *zone, const struct query *query);

/* Write the reply to `out` (`size` octets, at least 512; ANSWER_MAX for TCP). `out` must not
 * overlap the query. */
void answer(const struct zone *zone, const struct answer_env *env, const struct query *query,
            struct answer_scratch *scratch, uint8_t *out, size_t size,
            struct answer_result *result);

/* Write a reply that says only `rcode` (REFUSED to those that an access list keeps out, a truncated
 * answer of rate limiting), with the question, and to EDNS clients an OPT with the extended error
 * `ede` (RFC 8914; UINT16_MAX = none). */
void answer_bare(const struct answer_env *env, const struct query *query, uint16_t rcode,
                 bool is_truncated, uint16_t ede, uint8_t *out, size_t size,
                 struct answer_result *result);

#endif
