#include "rate_limit.h"

#include "dns/wire/prefix.h"

#define SECOND_US 1000000

/* A bucket: 24 bits of the prefix's hash, 40 bits of time in microseconds, which wrap after 12 days.
 */
#define TIME_BITS 40
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

/* Lost races after which an answer is let through: the workers are busy with this very prefix. */
#define TRIES 4

void rate_limit_init(struct rate_limit *limit, uint32_t rate, const struct name_seed *seed)
{
    memset(limit, 0, sizeof(*limit));
    limit->seed = *seed;
    limit->interval_us = rate < SECOND_US ? SECOND_US / rate : 1;
}

/* Microseconds until a bucket is full again; 0 when it is, or when its time cannot be: left from
 * before the clock jumped or wrapped. */
static uint64_t rate_limit_used_us(uint64_t bucket, uint64_t now_us)
{
    uint64_t ahead = (bucket - now_us) & TIME_MASK;
    return ahead <= SECOND_US ? ahead : 0;
}

/* The prefix's bucket in a line, else the fullest one; *value is what it held. */
static uint64_t *rate_limit_find(uint64_t *line, uint64_t tag, uint64_t now_us, uint64_t *value)
{
    uint64_t *found = line;
    uint64_t found_us = UINT64_MAX;
    for (unsigned i = 0; i < RATE_LIMIT_WAYS; i++) {
        uint64_t word = __atomic_load_n(&line[i], __ATOMIC_RELAXED);
        uint64_t used_us = rate_limit_used_us(word, now_us);
        bool is_ours = word >> TIME_BITS == tag;
        if (is_ours || used_us < found_us) {
            found = &line[i];
            found_us = used_us;
            *value = word;
        }
        if (is_ours)
            break;
    }
    return found;
}

bool rate_limit_allows(struct rate_limit *limit, const struct sockaddr *client, uint64_t now_us)
{
    struct prefix prefix;
    if (!prefix_of(client, &prefix) || prefix.is_loopback)
        return true;

    uint64_t hashed = name_hash_pair(&limit->seed, prefix.key, 0);
    uint64_t tag = hashed >> TIME_BITS;
    uint64_t *line = limit->buckets[hashed % RATE_LIMIT_LINES];
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t old = 0;
        uint64_t *bucket = rate_limit_find(line, tag, now_us, &old);
        uint64_t used_us = old >> TIME_BITS == tag ? rate_limit_used_us(old, now_us) : 0;
        /* Over the limit nothing is written, so that a flood does not make the line bounce. */
        if (used_us + limit->interval_us > SECOND_US)
            return false;
        uint64_t full_at = (now_us + used_us + limit->interval_us) & TIME_MASK;
        if (__atomic_compare_exchange_n(bucket, &old, tag << TIME_BITS | full_at, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return true;
    }
    return true;
}
