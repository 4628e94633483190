#include "counters.h"

#include "answer.h"

#include <assert.h>
#include <stddef.h>

static_assert(sizeof(struct counters) % sizeof(uint64_t) == 0, "counters are summed as words");

/* The row of a type, plus one; zero = not counted by itself. */
static const uint8_t rows[256] = {
#define COUNTERS_ROW(name, number) [number] = COUNTERS_TYPE_##name + 1,
    COUNTERS_TYPE_LIST(COUNTERS_ROW)
#undef COUNTERS_ROW
};

enum counters_type counters_type_of(uint16_t type)
{
    if (type >= sizeof(rows) || rows[type] == 0)
        return COUNTERS_TYPE_OTHER;
    return (enum counters_type)(rows[type] - 1);
}

void counters_query(struct counters *counters, enum query_transport transport,
                    const struct answer_result *result)
{
    counters_bump(&counters->queries[transport][counters_type_of(result->type)]);
    if (result->has_valid_cookie)
        counters_bump(&counters->cookies_valid);
    else if (result->has_cookie)
        counters_bump(&counters->cookies_other);
}

void counters_reply(struct counters *counters, enum query_transport transport,
                    const struct answer_result *result)
{
    unsigned rcode = result->rcode < COUNTERS_RCODES ? result->rcode : COUNTERS_RCODES - 1;
    counters_bump(&counters->rcodes[transport][rcode]);
    if (result->is_truncated)
        counters_bump(&counters->truncated);
    if (result->is_window)
        counters_bump(&counters->windowed);
    if (rcode == COUNTERS_FORMERR)
        counters_bump(&counters->malformed);
}

void counters_add(struct counters *sum, const struct counters *counters)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)counters;
    for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
        to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}
