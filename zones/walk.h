/* zones/walk.h - instances one after the other: of one or two types, or of one or two names.
 *
 * Two, because a host view joins what _tcp and _udp have by the same labels. For whoever shows a
 * zone whole; a question walks with a rotation and a bound (dns/answer/records.h).
 *
 * Threads: the control thread. */
#ifndef ZONES_WALK_H
#define ZONES_WALK_H

#include "node.h"
#include "zones/store/members.h"

#include <stdbool.h>
#include <stdint.h>

/* Fill in sets or chains, the rest zero; a copy begins anew. */
struct walk {
    const struct members *sets[2];
    const struct instance *chains[2];
    const struct instance *chained; /* the rest of a chain */
    unsigned set;
    uint32_t position;
};

/* The next instance, or the next that is the first of its name. NULL at the end. One walk calls one
 * of the two. */
const struct instance *walk_next(struct walk *walk);
const struct instance *walk_name(struct walk *walk);

/* Of a fresh walk: */
bool walk_is_single(const struct walk *walk);
/* The least TTL, at most `most`: of the instances; of their addresses. */
uint32_t walk_ttl(const struct walk *walk, uint32_t most);
uint32_t walk_address_ttl(const struct walk *walk, uint32_t most);

#endif
