/* zones/served.h - what a key is in the zone: an instance, a switch, or skipped with a reason.
 *
 * Threads: the control thread. */
#ifndef ZONES_SERVED_H
#define ZONES_SERVED_H

#include "key_node.h"

/* What a key is to be: served, or skipped and logged. The caller's until entered. NO_MEMORY. */
MUST_USE enum status served_new(struct zone *zone, const struct change *change,
                                struct key_node **out);
/* Skipped, whatever its value; `why` in words, "" = as skip_text(). */
MUST_USE enum status served_new_skipped(const struct zone *zone, const struct change *change,
                                        enum skip skip, const char *why, struct key_node **out);
/* Take back one that was not entered. */
void served_drop(struct zone *zone, struct key_node *key_node);
/* Let the names be those of `fresh` instead of `old`, whose node is retired; as instance_swap(),
 * which cannot fail without `fresh`. */
MUST_USE enum status served_enter(struct zone *zone, struct key_node *old, struct key_node *fresh);

#endif
