/* zones/names.h - the names in the zone: nodes in the look-up table, with the empty ones above
 * them.
 *
 * Threads: the control thread. */
#ifndef ZONES_NAMES_H
#define ZONES_NAMES_H

#include "zone_state.h"

/* A new node of `size` octets before its name, zeroed but for the node; the name and `data_len`
 * octets follow. NULL without memory. */
void *names_new(enum node_kind kind, size_t size, const uint8_t *name, size_t name_len,
                size_t data_len);
/* Of a node, by its name folded: as ptr_table_hash_of, `arg` a zone. */
uint64_t names_hash(const void *arg, const void *item);
/* The node with this name in a table of nodes; names_find(): in the zone's. */
struct node *names_find_in(const struct zone *zone, const struct ptr_table *table,
                           struct name_padded name);
struct node *names_find(const struct zone *zone, struct name_padded name);
/* Enter a node whose parent is known to be there. NO_MEMORY. */
MUST_USE enum status names_add(struct zone *zone, struct node *node);
/* Enter a node, in the place of an empty non-terminal if there is one, with its missing parents.
 * NO_MEMORY. */
MUST_USE enum status names_add_deep(struct zone *zone, struct node *node);
/* Take out and retire a node that names_add() entered. */
void names_remove(struct zone *zone, struct node *node);
/* The same for names_add_deep(): with children it becomes an empty non-terminal; parents left empty
 * go. */
void names_remove_deep(struct zone *zone, struct node *node);
/* Put one node in the place of another with the same name. The old one is not retired. */
void names_replace(struct zone *zone, struct node *old, struct node *node);

/* Room to put off the reaping of `count` more nodes. NO_MEMORY. */
MUST_USE enum status names_reserve_reaps(struct zone *zone, size_t count);
/* Look at a node again at the end of the commit, when readers see no more of what has been removed
 * by then. Room for it was reserved. */
void names_defer_reap(struct zone *zone, struct node *node);

#endif
