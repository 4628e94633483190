#include "ttls.h"

#include <stdlib.h>

enum status ttls_add(struct ttls *ttls, uint32_t ttl_s, uint32_t most)
{
    if (ttl_s >= most)
        return STATUS_OK;
    for (uint32_t i = 0; i < ttls->count; i++) {
        if (ttls->rows[i].ttl_s == ttl_s) {
            ttls->rows[i].count++;
            return STATUS_OK;
        }
    }
    struct ttls_row *rows = realloc(ttls->rows, (ttls->count + 1) * sizeof(*rows));
    if (!rows)
        return STATUS_NO_MEMORY;
    ttls->rows = rows;
    rows[ttls->count++] = (struct ttls_row){ttl_s, 1};
    return STATUS_OK;
}

void ttls_remove(struct ttls *ttls, uint32_t ttl_s, uint32_t most)
{
    if (ttl_s >= most)
        return;
    for (uint32_t i = 0; i < ttls->count; i++) {
        if (ttls->rows[i].ttl_s != ttl_s)
            continue;
        if (--ttls->rows[i].count == 0)
            ttls->rows[i] = ttls->rows[--ttls->count];
        break;
    }
    if (ttls->count == 0)
        ttls_clear(ttls);
}

uint32_t ttls_least(const struct ttls *ttls, uint32_t most)
{
    uint32_t least = most;
    for (uint32_t i = 0; i < ttls->count; i++)
        if (ttls->rows[i].ttl_s < least)
            least = ttls->rows[i].ttl_s;
    return least;
}

void ttls_clear(struct ttls *ttls)
{
    free(ttls->rows);
    *ttls = (struct ttls){0};
}
