#include "subtype.h"

#include "service_type.h"

#include <stdlib.h>

static struct instance *subtype_next_of(const struct instance *instance)
{
    return (struct instance *)instance->key.next;
}

/* A scan, of ENTRY_SUBTYPES_MAX at most. */
static uint32_t *subtype_row_position(const struct instance *instance,
                                      const struct service_type *set)
{
    struct instance_subtypes *subtypes = instance->subtypes;
    for (uint32_t i = 0; subtypes && i < subtypes->count; i++)
        if (subtypes->rows[i].set == set)
            return &subtypes->rows[i].position;
    return NULL;
}

/* The position that the name has in a set, from whichever instance stands for it. */
static uint32_t *subtype_held_position(struct instance *head, const struct service_type *set)
{
    for (struct instance *at = head; at; at = subtype_next_of(at)) {
        uint32_t *position = subtype_row_position(at, set);
        if (position && *position != MEMBER_VECTOR_NONE)
            return position;
    }
    return NULL;
}

void subtype_drop(struct zone *zone, struct instance *instance)
{
    struct instance_subtypes *subtypes = instance->subtypes;
    for (uint32_t i = 0; subtypes && i < subtypes->count; i++)
        service_type_remove_user(zone, subtypes->rows[i].set, instance->key.ttl_s);
    free(subtypes);
    instance->subtypes = NULL;
}

static enum status subtype_add_row(struct zone *zone, struct instance *instance,
                                   const struct entry_string *name)
{
    struct service_type *set;
    enum status status =
        service_type_get_subtype(zone, instance->type, name->text, name->len, &set);
    if (status == STATUS_TOO_LARGE || (status == STATUS_OK && subtype_row_position(instance, set)))
        return STATUS_OK; /* its name cannot be had, or another letter's case of one named before */
    if (status == STATUS_OK)
        status = service_type_add_user(zone, set, instance->key.ttl_s);
    if (status != STATUS_OK)
        return status;
    struct instance_subtypes *subtypes = instance->subtypes;
    subtypes->rows[subtypes->count].set = set;
    subtypes->rows[subtypes->count++].position = MEMBER_VECTOR_NONE;
    return STATUS_OK;
}

enum status subtype_new(struct zone *zone, struct instance *instance, const struct entry *entry)
{
    if (entry->subtype_count == 0)
        return STATUS_OK;
    struct instance_subtypes *subtypes =
        malloc(sizeof(*subtypes) + entry->subtype_count * sizeof(subtypes->rows[0]));
    if (!subtypes)
        return STATUS_NO_MEMORY;
    subtypes->count = 0;
    instance->subtypes = subtypes;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < entry->subtype_count && status == STATUS_OK; i++)
        status = subtype_add_row(zone, instance, &entry->subtypes[i]);
    return status;
}

/* So an entry that is written again, perhaps with another TTL, moves no member of a subtype: the set
 * goes on pointing at the name's head, which subtype_replace_head() exchanges if that is `old`. */
void subtype_inherit(struct instance *old, struct instance *fresh)
{
    struct instance_subtypes *subtypes = old->subtypes;
    for (uint32_t i = 0; subtypes && i < subtypes->count; i++) {
        uint32_t *position = subtype_row_position(fresh, subtypes->rows[i].set);
        if (!position)
            continue;
        *position = subtypes->rows[i].position;
        subtypes->rows[i].position = MEMBER_VECTOR_NONE;
    }
}

/* Take the name out of a set; the last member moves to its place. The set holds that one's head, its
 * position stands with whichever instance of the name stands for it: the one that says `last`. */
static void subtype_take_out(struct service_type *set, uint32_t position)
{
    uint32_t last = (set->members.draft ? set->members.draft : set->members.published)->count - 1;
    struct instance *moved = member_vector_remove(&set->members, position);
    for (; moved; moved = subtype_next_of(moved)) {
        uint32_t *theirs = subtype_row_position(moved, set);
        if (theirs && *theirs == last) {
            *theirs = position;
            return;
        }
    }
}

void subtype_leave(struct zone *zone, struct instance *head, struct instance *old)
{
    struct instance_subtypes *subtypes = old->subtypes;
    for (uint32_t i = 0; subtypes && i < subtypes->count; i++) {
        struct service_type *set = subtypes->rows[i].set;
        uint32_t position = subtypes->rows[i].position;
        subtypes->rows[i].position = MEMBER_VECTOR_NONE;
        if (position == MEMBER_VECTOR_NONE)
            continue;
        /* The name stays in the set as long as any of its instances is of the subtype. */
        struct instance *heir = head;
        while (heir && !subtype_row_position(heir, set))
            heir = subtype_next_of(heir);
        if (heir) {
            *subtype_row_position(heir, set) = position;
            member_vector_replace(&set->members, position, old, head);
        } else {
            subtype_take_out(set, position);
        }
    }
    subtype_drop(zone, old);
}

/* Each set has got it as its last, whose place is taken by no other, so that this finds the memory that
 * it needs in what the set has drafted. */
void subtype_unjoin(struct instance *fresh)
{
    struct instance_subtypes *subtypes = fresh->subtypes;
    for (uint32_t i = 0; subtypes && i < subtypes->count; i++) {
        if (subtypes->rows[i].position != MEMBER_VECTOR_NONE)
            (void)member_vector_remove(&subtypes->rows[i].set->members, subtypes->rows[i].position);
        subtypes->rows[i].position = MEMBER_VECTOR_NONE;
    }
}

enum status subtype_join(struct zone *zone, struct instance *head, struct instance *fresh)
{
    struct instance_subtypes *subtypes = fresh->subtypes;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; subtypes && i < subtypes->count && status == STATUS_OK; i++) {
        struct service_type *set = subtypes->rows[i].set;
        service_type_touch(zone, set);
        if (!subtype_held_position(head, set))
            status = member_vector_append(&set->members, head ? head : fresh,
                                          &subtypes->rows[i].position);
    }
    if (status != STATUS_OK)
        subtype_unjoin(fresh);
    return status;
}

/* Whichever instance of the name stands for it in a set, what the set holds is the head. */
void subtype_replace_head(struct instance *old_head, struct instance *head)
{
    for (struct instance *at = head; at; at = subtype_next_of(at)) {
        struct instance_subtypes *subtypes = at->subtypes;
        for (uint32_t i = 0; subtypes && i < subtypes->count; i++)
            if (subtypes->rows[i].position != MEMBER_VECTOR_NONE)
                member_vector_replace(&subtypes->rows[i].set->members, subtypes->rows[i].position,
                                      old_head, head);
    }
}
