/* zones/store/ttls.h - which TTLs the members of an RRset have, to know the least at any time.
 *
 * RFC 2181 5.2 wants one TTL for an RRset; ours is the least of its members', each at most the
 * lease TTL of its entry. Only TTLs below the zone's record TTL are kept, which are few: a zone
 * without short leases keeps none.
 *
 * Units: seconds. Threads: the caller's memory. */
#ifndef ZONES_STORE_TTLS_H
#define ZONES_STORE_TTLS_H

#include "registry/base/status.h"

#include <stdint.h>

struct ttls_rows;

struct ttls {
    struct ttls_rows *rows; /* NULL when there are none: a million targets have one word each */
};

/* Add one member. `most` is the record TTL: not kept when ttl_s is not below. NO_MEMORY. */
MUST_USE enum status ttls_add(struct ttls *ttls, uint32_t ttl_s, uint32_t most);
/* Take one away that was added. */
void ttls_remove(struct ttls *ttls, uint32_t ttl_s, uint32_t most);
/* The least, `most` without any. */
uint32_t ttls_least(const struct ttls *ttls, uint32_t most);
void ttls_clear(struct ttls *ttls);

#endif
