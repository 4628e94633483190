#include "ttl_counts.h"

#include <stdlib.h>

/* A scan is enough: only whole seconds below the record TTL, 10 by default, have a row. And one row
 * takes 12 octets where an array by second would take 40 for each of a million targets. */
struct ttl_counts_rows {
    uint32_t count;
    struct {
        uint32_t ttl_s, count;
    } row[];
};

enum status ttl_counts_add(struct ttl_counts *ttls, uint32_t ttl_s, uint32_t max_ttl_s)
{
    if (ttl_s >= max_ttl_s)
        return STATUS_OK;
    uint32_t count = ttls->rows ? ttls->rows->count : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (ttls->rows->row[i].ttl_s == ttl_s) {
            ttls->rows->row[i].count++;
            return STATUS_OK;
        }
    }
    struct ttl_counts_rows *rows =
        realloc(ttls->rows, sizeof(*rows) + (count + 1) * sizeof(rows->row[0]));
    if (!rows)
        return STATUS_NO_MEMORY;
    rows->count = count + 1;
    rows->row[count].ttl_s = ttl_s;
    rows->row[count].count = 1;
    ttls->rows = rows;
    return STATUS_OK;
}

void ttl_counts_remove(struct ttl_counts *ttls, uint32_t ttl_s, uint32_t max_ttl_s)
{
    struct ttl_counts_rows *rows = ttls->rows;
    if (ttl_s >= max_ttl_s || !rows)
        return;
    /* The rows have no order, so the last can take the place of one that goes. */
    for (uint32_t i = 0; i < rows->count; i++) {
        if (rows->row[i].ttl_s != ttl_s)
            continue;
        if (--rows->row[i].count == 0)
            rows->row[i] = rows->row[--rows->count];
        break;
    }
    if (rows->count == 0)
        ttl_counts_clear(ttls);
}

uint32_t ttl_counts_min(const struct ttl_counts *ttls, uint32_t max_ttl_s)
{
    uint32_t min_ttl_s = max_ttl_s;
    for (uint32_t i = 0; ttls->rows && i < ttls->rows->count; i++)
        if (ttls->rows->row[i].ttl_s < min_ttl_s)
            min_ttl_s = ttls->rows->row[i].ttl_s;
    return min_ttl_s;
}

void ttl_counts_clear(struct ttl_counts *ttls)
{
    free(ttls->rows);
    *ttls = (struct ttl_counts){0};
}
