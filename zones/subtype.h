/* zones/subtype.h - which subtypes an instance is a member of.
 *
 * Of the instances that share a name, one stands for it in each subtype that any of them names: a
 * set holds the name's head once.
 *
 * Threads: the control thread. */
#ifndef ZONES_SUBTYPE_H
#define ZONES_SUBTYPE_H

#include "registry/entry.h"
#include "zone_state.h"

struct instance_subtypes {
    uint32_t count;
    struct {
        struct service_type *set;
        uint32_t position; /* MEMBER_VECTOR_NONE: another instance of the name stands for it */
    } rows[];
};

/* Hold the sets that the entry names. NO_MEMORY: some are held, to be dropped. */
MUST_USE enum status subtype_new(struct zone *zone, struct instance *instance,
                                 const struct entry *entry);
/* Let go of them. */
void subtype_drop(struct zone *zone, struct instance *instance);
/* The new value of a key takes over the positions of the old. */
void subtype_inherit(struct instance *old, struct instance *fresh);
/* Before `fresh` is linked into the list of instances with one name, which begins at `head`; NULL: it
 * will be alone. NO_MEMORY: it is in none of its sets. */
MUST_USE enum status subtype_join(struct zone *zone, struct instance *head, struct instance *fresh);
/* Take it out again: what was to follow has failed. */
void subtype_unjoin(struct instance *fresh);
/* After the list, now beginning at `head`, has lost one; NULL: it has none left. */
void subtype_leave(struct zone *zone, struct instance *head, struct instance *old);
/* Another instance is the first of the name. */
void subtype_replace_head(struct instance *old_head, struct instance *head);

#endif
