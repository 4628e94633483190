/* zones/zone_counts.h - what a zone counts: the figures of metrics, summary and status page. */
#ifndef ZONES_ZONE_COUNTS_H
#define ZONES_ZONE_COUNTS_H

#include "skip.h"

#include <stdint.h>

struct zone_counts {
    uint64_t keys;     /* put and not removed, served or not */
    uint64_t services; /* served */
    uint64_t switches; /* served */
    uint64_t types;
    uint64_t names;     /* owners in the look-up table */
    uint64_t addresses; /* distinct IP addresses */
    uint64_t hosts, hosts_without_address;
    uint64_t collisions;      /* keys whose DNS name an earlier one has, too */
    uint64_t large_types;     /* types with more than 100 instances */
    uint64_t ignored_members; /* members of JSON values ignored for a wrong type or range */
    uint64_t skipped[SKIP_COUNT];
    uint64_t bytes; /* of memory that the look-up tables take */
    int64_t revision;
    uint32_t serial;
};

#endif
