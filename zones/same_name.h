/* zones/same_name.h - several keys with one DNS name.
 *
 * Names are folded, keys are not, so that keys may share a name. They are a list in the order of
 * their keys, whose head is the name's node: what a name shows does not depend on who came first.
 *
 * Letters' case makes 2^20 keys with one name out of 20 letters, so the list has an end: walking it
 * is what a change of one of its keys costs.
 *
 * Threads: the control thread; readers follow key_node.next. */
#ifndef ZONES_SAME_NAME_H
#define ZONES_SAME_NAME_H

#include "zone_state.h"

#define SAME_NAME_MAX 256

/* The first node of the same kind with this one's name; NULL: there is none. */
struct key_node *same_name_head(const struct zone *zone, const struct key_node *node);
/* Whether no other key may join. */
bool same_name_is_full(const struct key_node *head);
/* Link `fresh` at its place in the list that begins at `head`: over `old`, which is its key's, or
 * NULL. Returns the head: when that is `fresh`, the caller puts it in the place of the old one. */
struct key_node *same_name_link(struct key_node *head, struct key_node *old,
                                struct key_node *fresh);
/* Unlink `old`, whose key goes. Returns the head, NULL when none is left: when that is another, the
 * caller puts it in the place of `old`. */
struct key_node *same_name_unlink(struct key_node *head, struct key_node *old);

#endif
