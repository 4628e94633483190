#include "random.h"

struct random random_begin(uint64_t usual)
{
    const char *chosen = getenv("EMPUSA_SEED");
    struct random random = {chosen ? strtoull(chosen, NULL, 10) : usual};
    random.state += random.state == 0;
    printf("seed %llu\n", (unsigned long long)random.state);
    return random;
}

uint64_t random_draw(struct random *random, uint64_t below)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return random->state % below;
}
