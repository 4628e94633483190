#include "ttls.h"

#include <stdlib.h>

struct ttls_rows {
    uint32_t count;
    struct {
        uint32_t ttl_s, count;
    } row[];
};

enum status ttls_add(struct ttls *ttls, uint32_t ttl_s, uint32_t most)
{
    if (ttl_s >= most)
        return STATUS_OK;
    uint32_t count = ttls->rows ? ttls->rows->count : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (ttls->rows->row[i].ttl_s == ttl_s) {
            ttls->rows->row[i].count++;
            return STATUS_OK;
        }
    }
    struct ttls_rows *rows =
        realloc(ttls->rows, sizeof(*rows) + (count + 1) * sizeof(rows->row[0]));
    if (!rows)
        return STATUS_NO_MEMORY;
    rows->count = count + 1;
    rows->row[count].ttl_s = ttl_s;
    rows->row[count].count = 1;
    ttls->rows = rows;
    return STATUS_OK;
}

void ttls_remove(struct ttls *ttls, uint32_t ttl_s, uint32_t most)
{
    struct ttls_rows *rows = ttls->rows;
    if (ttl_s >= most || !rows)
        return;
    for (uint32_t i = 0; i < rows->count; i++) {
        if (rows->row[i].ttl_s != ttl_s)
            continue;
        if (--rows->row[i].count == 0)
            rows->row[i] = rows->row[--rows->count];
        break;
    }
    if (rows->count == 0)
        ttls_clear(ttls);
}

uint32_t ttls_least(const struct ttls *ttls, uint32_t most)
{
    uint32_t least = most;
    for (uint32_t i = 0; ttls->rows && i < ttls->rows->count; i++)
        if (ttls->rows->row[i].ttl_s < least)
            least = ttls->rows->row[i].ttl_s;
    return least;
}

void ttls_clear(struct ttls *ttls)
{
    free(ttls->rows);
    *ttls = (struct ttls){0};
}
