#include "rate_limit.h"

#include "dns/wire/prefix.h"

#define SECOND_US 1000000

/* A place: 24 bits of the prefix's hash, 40 bits of time in microseconds, which wrap after 12 days.
 */
#define TIME_BITS 40
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

/* Lost races after which an answer is let through: the workers are busy with this very prefix. */
#define TRIES 4

void rate_limit_init(struct rate_limit *limit, uint32_t rate, const uint64_t seed[2])
{
    memset(limit, 0, sizeof(*limit));
    limit->seed[0] = seed[0];
    limit->seed[1] = seed[1];
    limit->interval_us = rate < SECOND_US ? SECOND_US / rate : 1;
}

static uint64_t rate_limit_fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t rate_limit_hash(const struct rate_limit *limit, uint64_t key)
{
    uint64_t mixed = rate_limit_fold(key ^ limit->seed[0], limit->seed[1] | 1);
    return rate_limit_fold(mixed ^ limit->seed[1], limit->seed[0] | 1);
}

/* Microseconds until the bucket behind a place is full again; 0 when it is, or when the place's
 * time cannot be: left from before the clock jumped or wrapped. */
static uint64_t rate_limit_used_us(uint64_t place, uint64_t now_us)
{
    uint64_t ahead = (place - now_us) & TIME_MASK;
    return ahead <= SECOND_US ? ahead : 0;
}

static uint64_t *rate_limit_find(uint64_t *bucket, uint64_t tag, uint64_t now_us, uint64_t *place)
{
    uint64_t *least = bucket;
    uint64_t least_us = UINT64_MAX;
    for (unsigned i = 0; i < RATE_LIMIT_WAYS; i++) {
        uint64_t word = __atomic_load_n(&bucket[i], __ATOMIC_RELAXED);
        uint64_t us = rate_limit_used_us(word, now_us);
        bool is_ours = word >> TIME_BITS == tag;
        if (is_ours || us < least_us) {
            least = &bucket[i];
            least_us = us;
            *place = word;
        }
        if (is_ours)
            break;
    }
    return least;
}

bool rate_limit_allows(struct rate_limit *limit, const struct sockaddr *client, uint64_t now_us)
{
    struct prefix prefix;
    if (!prefix_of(client, &prefix) || prefix.is_loopback)
        return true;

    uint64_t hashed = rate_limit_hash(limit, prefix.key);
    uint64_t tag = hashed >> TIME_BITS;
    uint64_t *bucket = limit->places[hashed % RATE_LIMIT_BUCKETS];
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t old = 0;
        uint64_t *place = rate_limit_find(bucket, tag, now_us, &old);
        uint64_t drawn = old >> TIME_BITS == tag ? rate_limit_used_us(old, now_us) : 0;
        /* Over the limit nothing is written, so that a flood does not make the line bounce. */
        if (drawn + limit->interval_us > SECOND_US)
            return false;
        uint64_t full_at = (now_us + drawn + limit->interval_us) & TIME_MASK;
        if (__atomic_compare_exchange_n(place, &old, tag << TIME_BITS | full_at, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return true;
    }
    return true;
}
