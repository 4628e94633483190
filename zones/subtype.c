#include "internal.h"

#include <stdlib.h>

/* Of the instances that share a name, one row for a set has a position: the set holds the name's
 * head once, whoever of them names the subtype. */

static uint32_t *subtype_row_position(const struct instance *instance, const struct set *set)
{
    struct instance_subtypes *subtypes = instance->subtypes;
    for (uint32_t i = 0; subtypes && i < subtypes->count; i++)
        if (subtypes->rows[i].set == set)
            return &subtypes->rows[i].position;
    return NULL;
}

/* The position that the name has in a set, from whichever instance stands for it. */
static uint32_t *subtype_held_position(struct instance *head, const struct set *set)
{
    for (struct instance *at = head; at; at = at->next) {
        uint32_t *position = subtype_row_position(at, set);
        if (position && *position != MEMBERS_NONE)
            return position;
    }
    return NULL;
}

static void subtype_let_go(struct zone *zone, struct set *set, uint32_t ttl_s)
{
    ttls_remove(&set->ttls, ttl_s, zone->view.record_ttl_s);
    set_touch(zone, set);
    if (--set->refs == 0 && !set->is_listed) {
        set->is_listed = true;
        owner_pend(zone, &set->node);
    }
}

void subtype_drop(struct zone *zone, struct instance *instance)
{
    struct instance_subtypes *subtypes = instance->subtypes;
    for (uint32_t i = 0; subtypes && i < subtypes->count; i++)
        subtype_let_go(zone, subtypes->rows[i].set, instance->record.ttl_s);
    free(subtypes);
    instance->subtypes = NULL;
}

static enum status subtype_add_row(struct zone *zone, struct instance *instance,
                                   const struct entry_string *name)
{
    struct set *set;
    enum status status = set_get_subtype(zone, instance->type, name->text, name->len, &set);
    if (status == STATUS_TOO_LARGE || (status == STATUS_OK && subtype_row_position(instance, set)))
        return STATUS_OK; /* its name cannot be had, or another letter's case of one named before */
    if (status == STATUS_OK)
        status = ttls_add(&set->ttls, instance->record.ttl_s, zone->view.record_ttl_s);
    if (status != STATUS_OK)
        return status;
    set->refs++;
    struct instance_subtypes *subtypes = instance->subtypes;
    subtypes->rows[subtypes->count].set = set;
    subtypes->rows[subtypes->count++].position = MEMBERS_NONE;
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

void subtype_inherit(struct instance *old, struct instance *new)
{
    struct instance_subtypes *subtypes = old->subtypes;
    for (uint32_t i = 0; subtypes && i < subtypes->count; i++) {
        uint32_t *position = subtype_row_position(new, subtypes->rows[i].set);
        if (!position)
            continue;
        *position = subtypes->rows[i].position;
        subtypes->rows[i].position = MEMBERS_NONE;
    }
}

/* Take the name out of a set; the last member moves to its place. */
static void subtype_take_out(struct set *set, uint32_t position)
{
    uint32_t last = (set->members.draft ? set->members.draft : set->members.published)->count - 1;
    struct instance *moved = (struct instance *)(uintptr_t)members_remove(&set->members, position);
    for (; moved; moved = moved->next) {
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
        struct set *set = subtypes->rows[i].set;
        uint32_t position = subtypes->rows[i].position;
        subtypes->rows[i].position = MEMBERS_NONE;
        if (position == MEMBERS_NONE)
            continue;
        struct instance *heir = head;
        while (heir && !subtype_row_position(heir, set))
            heir = heir->next;
        if (heir) {
            *subtype_row_position(heir, set) = position;
            members_replace(&set->members, position, old, head);
        } else {
            subtype_take_out(set, position);
        }
    }
    subtype_drop(zone, old);
}

void subtype_join(struct zone *zone, struct instance *head, struct instance *new)
{
    struct instance_subtypes *subtypes = new->subtypes;
    for (uint32_t i = 0; subtypes && i < subtypes->count; i++) {
        struct set *set = subtypes->rows[i].set;
        set_touch(zone, set);
        if (subtype_held_position(head, set))
            continue;
        uint32_t position;
        if (members_append(&set->members, head, &position) == STATUS_OK)
            subtypes->rows[i].position = position;
        else
            log_printf(&zone->log, LOG_LEVEL_ERROR, "out of memory: a subtype is incomplete");
    }
}

void subtype_move_head(struct instance *old_head, struct instance *head)
{
    for (struct instance *at = head; at; at = at->next) {
        struct instance_subtypes *subtypes = at->subtypes;
        for (uint32_t i = 0; subtypes && i < subtypes->count; i++)
            if (subtypes->rows[i].position != MEMBERS_NONE)
                members_replace(&subtypes->rows[i].set->members, subtypes->rows[i].position,
                                old_head, head);
    }
}
