/* tests/support/random.h - numbers that are the same for the same seed, which is printed;
 * EMPUSA_SEED chooses another. */
#ifndef SUPPORT_RANDOM_H
#define SUPPORT_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct random {
    uint64_t state;
};

/* EMPUSA_SEED, or `usual`; the seed is printed. */
struct random random_begin(uint64_t usual);

/* Below `below`, which is not 0. */
uint64_t random_draw(struct random *random, uint64_t below);

#endif
