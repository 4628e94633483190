#include "service_type.h"

#include "names.h"

#include <stdlib.h>

#define LARGE_TYPE 100 /* records: BIND 9.18.28 and later refuse larger RRsets by default */

/* A type's parent, _tcp or _udp, is always there (apex.c); a subtype's, _sub, may not be. */
static enum status service_type_get_set(struct zone *zone, enum node_kind kind,
                                        struct name_padded name, struct service_type *parent,
                                        struct service_type **out)
{
    struct service_type *set = (struct service_type *)names_find(zone, name);
    enum status status = STATUS_OK;
    if (!set) {
        set = names_new(kind, sizeof(*set), name.octets, name.len, 0);
        if (!set)
            return STATUS_NO_MEMORY;
        set->parent = parent;
        set->position = MEMBER_VECTOR_NONE;
        set->listed_ttl_s = UINT32_MAX;
        status = kind == NODE_TYPE ? names_add(zone, &set->node) : names_add_deep(zone, &set->node);
        if (status != STATUS_OK) {
            free(set);
            return status;
        }
        set->is_queued = true; /* nobody may come to use it: what asks for it may yet fail */
        names_defer_reap(zone, &set->node);
    }
    *out = set;
    return STATUS_OK;
}

enum status service_type_get(struct zone *zone, struct name_padded name, struct service_type **out)
{
    return service_type_get_set(zone, NODE_TYPE, name, zone->types, out);
}

enum status service_type_get_subtype(struct zone *zone, struct service_type *type,
                                     const char *label, size_t label_len, struct service_type **out)
{
    uint8_t name[NAME_MAX_LEN + NAME_PAD] = {(uint8_t)(1 + label_len), '_'}, *at = name + 2;
    size_t len = 2 + label_len + 5 + type->node.name_len;
    if (len + zone->view.wire.len > NAME_MAX_LEN)
        return STATUS_TOO_LARGE;
    at = mempcpy(at, label, label_len);
    at = mempcpy(at, "\4_sub", 5);
    memcpy(at, node_name(&type->node), type->node.name_len);
    return service_type_get_set(zone, NODE_SUBTYPE, (struct name_padded){name, len}, type, out);
}

enum status service_type_add_user(struct zone *zone, struct service_type *set, uint32_t ttl_s)
{
    enum status status = ttl_counts_add(&set->ttls, ttl_s, zone->view.record_ttl_s);
    if (status == STATUS_OK)
        set->users++;
    return status;
}

/* Reaped at the end of the commit, not here: until its members are published without the last of
 * them, readers find them in it. */
void service_type_remove_user(struct zone *zone, struct service_type *set, uint32_t ttl_s)
{
    ttl_counts_remove(&set->ttls, ttl_s, zone->view.record_ttl_s);
    service_type_touch(zone, set);
    if (--set->users == 0 && !set->is_queued) {
        set->is_queued = true;
        names_defer_reap(zone, &set->node);
    }
}

void service_type_touch(struct zone *zone, struct service_type *set)
{
    zone->has_changed = true;
    if (set->is_dirty)
        return;
    set->is_dirty = true;
    set->next_dirty = zone->dirty;
    zone->dirty = set;
}

static void service_type_warn_if_large(struct zone *zone, struct service_type *set)
{
    bool was_large = set->is_large;
    set->is_large = set->members.live > LARGE_TYPE;
    zone->counts.large_types += set->is_large;
    zone->counts.large_types -= was_large;
    if (!set->is_large || set->has_warned || zone->leaves_sizes)
        return;
    set->has_warned = true;
    char text[NAME_TEXT_MAX];
    name_to_text(node_name(&set->node), set->node.name_len, text);
    log_printf(&zone->log, LOG_LEVEL_WARNING,
               "%s%s has more than %d instances: BIND 9.18.28 and later refuse RRsets of more than "
               "max-records-per-type (100)",
               text, zone->domain, LARGE_TYPE);
}

static void service_type_publish(struct zone *zone, struct service_type *set)
{
    member_vector_publish(&set->members, ttl_counts_min(&set->ttls, zone->view.record_ttl_s));
    if (set->node.kind == NODE_TYPE)
        service_type_warn_if_large(zone, set);
}

/* The list's TTL is the least of its types'. The new one is added before the old one goes, so that
 * without memory all stays as it was. */
static void service_type_list_ttl(struct zone *zone, struct service_type *type)
{
    struct service_type *list = zone->types;
    uint32_t max_ttl_s = zone->view.record_ttl_s;
    uint32_t ttl_s =
        type->position == MEMBER_VECTOR_NONE ? max_ttl_s : ttl_counts_min(&type->ttls, max_ttl_s);
    if (ttl_s == type->listed_ttl_s || ttl_counts_add(&list->ttls, ttl_s, max_ttl_s) != STATUS_OK)
        return;
    ttl_counts_remove(&list->ttls, type->listed_ttl_s, max_ttl_s);
    type->listed_ttl_s = ttl_s;
}

/* Before the type's first member, since a publication cannot fail. */
enum status service_type_list(struct zone *zone, struct service_type *type)
{
    if (type->position != MEMBER_VECTOR_NONE)
        return STATUS_OK;
    service_type_touch(zone, type);
    enum status status = member_vector_append(&zone->types->members, type, &type->position);
    if (status == STATUS_OK)
        zone->counts.types++;
    return status;
}

/* Let the list of types hold no type that has no instances. */
static void service_type_unlist(struct zone *zone, struct service_type *type)
{
    struct service_type *list = zone->types;
    if (type->position == MEMBER_VECTOR_NONE || type->members.live > 0)
        return;
    struct service_type *moved = member_vector_remove(&list->members, type->position);
    if (moved)
        moved->position = type->position;
    type->position = MEMBER_VECTOR_NONE;
    zone->counts.types--;
}

/* Publishing order. Readers see each set change by itself, at any moment between two of our stores,
 * and no answer may name what is NXDOMAIN. So what a record points at is published before the
 * record, and goes after it:
 *
 * - addresses, hosts and instances' own names are in the table of names as soon as they are put;
 * - then come the types and subtypes that have members, whose PTR and SRV records name those;
 * - then the list of types, which has gained new ones and lost empty ones;
 * - then those that have become empty, which the list no longer names;
 * - and last, with everything published, the commit reaps the names that are of no use any more
 *   (zone.c), types after their subtypes. */
static void service_type_publish_dirty(struct zone *zone, bool is_empty)
{
    for (struct service_type *set = zone->dirty; set; set = set->next_dirty)
        if ((set->members.live == 0) == is_empty)
            service_type_publish(zone, set);
}

void service_type_publish_all(struct zone *zone)
{
    if (!zone->dirty)
        return;
    service_type_publish_dirty(zone, false);
    for (struct service_type *set = zone->dirty; set; set = set->next_dirty)
        if (set->node.kind == NODE_TYPE) {
            service_type_unlist(zone, set);
            service_type_list_ttl(zone, set);
        }
    service_type_publish(zone, zone->types);
    service_type_publish_dirty(zone, true);
    while (zone->dirty) {
        struct service_type *set = zone->dirty;
        zone->dirty = set->next_dirty;
        set->is_dirty = false;
    }
}

void service_type_reap(struct zone *zone, struct service_type *set)
{
    set->is_queued = false;
    if (set->users > 0 || set->node.children > 0)
        return;
    member_vector_retire(&set->members);
    ttl_counts_clear(&set->ttls);
    if (set->node.kind == NODE_SUBTYPE)
        names_remove_deep(zone, &set->node);
    else
        names_remove(zone, &set->node);
}

void service_type_free(struct service_type *set)
{
    member_vector_clear(&set->members);
    ttl_counts_clear(&set->ttls);
    free(set);
}
