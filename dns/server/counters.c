#include "counters.h"

#include <assert.h>

static_assert(sizeof(struct counters) % sizeof(uint64_t) == 0, "counters are summed as words");

const uint8_t counters_rows[256] = {
#define COUNTERS_ROW(name) [TYPE_##name] = COUNTERS_TYPE_##name + 1,
    COUNTERS_TYPE_LIST(COUNTERS_ROW)
#undef COUNTERS_ROW
};

void counters_add(struct counters *sum, const struct counters *counters)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)counters;
    for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
        to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}
