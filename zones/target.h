/* zones/target.h - what SRV records point at: addresses and hosts, in the zone or elsewhere.
 *
 * Threads: the control thread. */
#ifndef ZONES_TARGET_H
#define ZONES_TARGET_H

#include "registry/entry.h"
#include "zone_state.h"

/* Find or make the target of a location. A new one has no users and its reaping is put off.
 * NO_MEMORY. */
MUST_USE enum status target_get(struct zone *zone, const struct address *location,
                                struct target **out);
/* Whether it is this location's, an IP address. */
bool target_is_address(const struct target *target, const struct address *location);
/* The wire form of a name in a location: labels, and the root when it is absolute. Returns its
 * length. */
size_t target_host_wire(const struct address *location, uint8_t out[NAME_MAX_LEN]);
/* One more instance points at it, or one less, with this TTL. NO_MEMORY. */
MUST_USE enum status target_add_user(struct zone *zone, struct target *target, uint32_t ttl_s);
void target_remove_user(struct zone *zone, struct target *target, uint32_t ttl_s);
/* Gone when nobody points at it. */
void target_reap(struct zone *zone, struct target *target);
/* A host of the configuration, which row `row` names: enter it, or add the address to those of the
 * rows before. BAD_INPUT with *why, NO_MEMORY. */
MUST_USE enum status target_add_fixed(struct zone *zone, const struct zone_address *rows,
                                      size_t row, struct detail *why);
/* As zone_set_host(); *is_change: whether something has changed. */
MUST_USE enum status target_set_host(struct zone *zone, const char *name,
                                     const struct resolver_address *addresses, size_t count,
                                     uint32_t ttl_s, bool *is_change);
/* Without readers. */
void target_free(struct target *target);

#endif
