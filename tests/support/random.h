/* tests/support/random.h - numbers that are the same for the same seed, which is printed;
 * EMPUSA_SEED chooses another. */
#ifndef SUPPORT_RANDOM_H
#define SUPPORT_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct random {
    uint64_t state;
};

static inline struct random random_begin(uint64_t usual)
{
    const char *chosen = getenv("EMPUSA_SEED");
    struct random random = {chosen ? strtoull(chosen, NULL, 10) : usual};
    random.state += random.state == 0;
    printf("seed %llu\n", (unsigned long long)random.state);
    return random;
}

/* Below `below`, which is not 0. */
static inline uint64_t random_draw(struct random *random, uint64_t below)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return random->state % below;
}

#endif
