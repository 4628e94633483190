/* zones/instance.h - services in the zone.
 *
 * An instance is built whole before anything refers to it; then it is swapped in by steps that
 * cannot fail.
 *
 * Threads: the control thread. */
#ifndef ZONES_INSTANCE_H
#define ZONES_INSTANCE_H

#include "key_node.h"
#include "registry/key.h"

/* Build an instance, with its references. BAD_INPUT: cannot be served; *skip says why, *why in
 * words. NO_MEMORY. */
MUST_USE enum status instance_new(struct zone *zone, const struct key_parts *parts,
                                  const struct change *change, struct instance **out,
                                  enum skip *skip, struct detail *why);
/* Take back one that was not entered. */
void instance_drop(struct zone *zone, struct instance *instance);
/* Let `fresh` be in the zone instead of `old`; either may be NULL. TOO_LARGE: too many have the
 * name; NO_MEMORY (neither without `fresh`): nothing changed. */
MUST_USE enum status instance_swap(struct zone *zone, struct instance *old, struct instance *fresh);
/* Take a dying one's name away, if no other has come to have it. */
void instance_reap(struct zone *zone, struct instance *instance);
/* Without readers. */
void instance_free(struct instance *instance);

#endif
