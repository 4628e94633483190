/* zones/switch_node.h - switches in the zone.
 *
 * Threads: the control thread. */
#ifndef ZONES_SWITCH_NODE_H
#define ZONES_SWITCH_NODE_H

#include "key_node.h"
#include "registry/key.h"

/* As instance_new() and instance_swap(). */
MUST_USE enum status switch_node_new(const struct zone *zone, const struct key_parts *parts,
                                     const struct change *change, struct switch_node **out,
                                     enum skip *skip);
MUST_USE enum status switch_node_swap(struct zone *zone, struct switch_node *old,
                                      struct switch_node *fresh);

#endif
