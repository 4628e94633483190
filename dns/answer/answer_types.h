/* dns/answer/answer_types.h - what an answer depends on besides zone and query, and what is
 * reported of it.
 *
 * Types alone, for answer.h and for the files that it is made of. */
#ifndef DNS_ANSWER_ANSWER_TYPES_H
#define DNS_ANSWER_ANSWER_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_MAX   65535 /* octets of a message */
#define ANSWER_SLACK 16    /* octets behind it that may be overwritten */

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

/* What happened, for counters and rate limits. */
struct answer_result {
    size_t len;        /* octets of the reply; 0 = send nothing */
    uint16_t rcode;    /* with the extended bits */
    uint16_t type;     /* of the question; 0 = none */
    uint32_t looks;    /* instances that were looked at, however few of them are in the reply */
    bool is_truncated; /* TC is set */
    bool is_sampled;   /* a set too large for any message was cut to a window */
    bool has_valid_cookie, has_cookie;
    bool is_transfer; /* AXFR or IXFR over TCP for our zone: nothing was written; see axfr.h */
};

#endif
