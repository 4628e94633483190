/* dns/server/rate_limit.h - how many answers a second a network is sent over UDP.
 *
 * UDP addresses can be forged, so answers may be aimed at a victim: each client prefix (prefix.h)
 * has a bucket of one second's answers. A bucket is one 64-bit word, the moment at which it would be
 * full again (the generic cell rate algorithm), shared by all workers and changed by
 * compare-and-swap; only clients of one prefix ever contend for a word. The table never grows: a
 * keyed hash chooses a cache line of 8 buckets for a prefix, which takes over the least used of them
 * when all are taken, so that a flood of prefixes evicts the idle, not the busy.
 *
 * Threads: rate_limit_init() before the workers; rate_limit_allows() from any. */
#ifndef DNS_SERVER_RATE_LIMIT_H
#define DNS_SERVER_RATE_LIMIT_H

#include "zones/name/name.h"

#include <stdalign.h>
#include <sys/socket.h>

#define RATE_LIMIT_WAYS  8
#define RATE_LIMIT_LINES 8192 /* a power of two; 512 KiB in all */

struct rate_limit {
    alignas(64) uint64_t buckets[RATE_LIMIT_LINES][RATE_LIMIT_WAYS];
    struct name_seed seed;
    uint64_t interval_us; /* between two answers at the rate */
};

/* rate: answers a second, 1 or more. The seed is copied. */
void rate_limit_init(struct rate_limit *limit, uint32_t rate, const struct name_seed *seed);

/* Whether another answer may go to this client now; it is counted if so. Loopback always may.
 * now_us: any clock in microseconds; one that jumps forgets what was used. */
bool rate_limit_allows(struct rate_limit *limit, const struct sockaddr *client, uint64_t now_us);

#endif
