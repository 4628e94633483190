#include "backoff.h"

#include "random.h"

uint32_t backoff_pause(uint32_t first, uint32_t max, unsigned failures)
{
    uint64_t pause = failures > 0 ? first : 0;
    while (failures-- > 1 && pause < max)
        pause *= 2;
    return pause < max ? (uint32_t)pause : max;
}

uint32_t backoff_jitter(uint32_t pause)
{
    return pause / 2 + random_below(pause - pause / 2 + 1);
}
