/* dns/server/rate_limit.h - how many answers a second a network may draw over UDP.
 *
 * UDP addresses can be forged, so answers may be aimed at a victim: each client prefix (prefix.h)
 * has a bucket of one second's answers. A bucket is one 64-bit word, the moment at which
 * it would be full again (the generic cell rate algorithm), shared by all workers and changed by
 * compare-and-swap; only clients of one prefix ever meet on a word. The table never grows: a prefix
 * has 8 places on one cache line, chosen by a keyed hash, and takes the least loaded one when all
 * are in use, so that whoever floods it with prefixes frees the idle, not the heavy.
 *
 * Threads: rate_limit_init() before the workers; rate_limit_allows() from any. */
#ifndef DNS_SERVER_RATE_LIMIT_H
#define DNS_SERVER_RATE_LIMIT_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RATE_LIMIT_WAYS    8
#define RATE_LIMIT_BUCKETS 8192 /* a power of two; 512 KiB in all */

struct rate_limit {
    alignas(64) uint64_t places[RATE_LIMIT_BUCKETS][RATE_LIMIT_WAYS];
    uint64_t seed[2];
    uint64_t interval_us; /* between two answers at the rate */
};

/* rate: answers a second, 1 or more. seed: secret and random, so that nobody can aim at a bucket.
 */
void rate_limit_init(struct rate_limit *limit, uint32_t rate, const uint64_t seed[2]);

/* Whether another answer may go to this client now; it is counted if so. Loopback always may.
 * now_us: any clock in microseconds; one that jumps forgives what was drawn. */
bool rate_limit_allows(struct rate_limit *limit, const struct sockaddr *client, uint64_t now_us);

#endif
