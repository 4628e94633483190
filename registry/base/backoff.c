#include "backoff.h"

#include "random.h"

uint32_t backoff_pause(uint32_t first, uint32_t max, unsigned failures)
{
    /* It ends at max and in 64 bits: however many failures there were, nothing overflows. */
    uint64_t pause = failures > 0 ? first : 0;
    while (failures-- > 1 && pause < max)
        pause *= 2;
    return pause < max ? (uint32_t)pause : max;
}

uint32_t backoff_jitter(uint32_t pause)
{
    /* No less than half: even the luckiest waits. */
    return pause / 2 + random_below(pause - pause / 2 + 1);
}
