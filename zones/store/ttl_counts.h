/* zones/store/ttl_counts.h - which TTLs the members of an RRset have, to know the least at any
 * time.
 *
 * RFC 2181 5.2 wants one TTL for an RRset; ours is the least of its members', each at most the
 * lease TTL of its entry. Only TTLs below the zone's record TTL are kept, which are few: a zone
 * without short leases keeps none.
 *
 * Units: seconds. Threads: the caller's memory. */
#ifndef ZONES_STORE_TTL_COUNTS_H
#define ZONES_STORE_TTL_COUNTS_H

#include "registry/base/status.h"

struct ttl_counts_rows;

struct ttl_counts {
    struct ttl_counts_rows
        *rows; /* NULL when there are none: a million targets have one word each */
};

/* Add one member. `max_ttl_s` is the record TTL: not kept when ttl_s is not below. NO_MEMORY. */
MUST_USE enum status ttl_counts_add(struct ttl_counts *ttls, uint32_t ttl_s, uint32_t max_ttl_s);
/* Take one away that was added. */
void ttl_counts_remove(struct ttl_counts *ttls, uint32_t ttl_s, uint32_t max_ttl_s);
/* The least, `max_ttl_s` without any. */
uint32_t ttl_counts_min(const struct ttl_counts *ttls, uint32_t max_ttl_s);
void ttl_counts_clear(struct ttl_counts *ttls);

#endif
