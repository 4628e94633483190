/* zones/apex.h - what the configuration alone makes: apex, name servers, browsing domains,
 * containers.
 *
 * Threads: the control thread. */
#ifndef ZONES_APEX_H
#define ZONES_APEX_H

#include "zone_state.h"

/* BAD_INPUT: as zone_new(). NO_MEMORY. What was made is in the zone, and view.ns from malloc(). */
MUST_USE enum status apex_init(struct zone *zone, const struct zone_options *options,
                               struct detail *why);

#endif
