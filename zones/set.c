#include "internal.h"

#include <stdlib.h>

#define LARGE_TYPE 100 /* records: BIND 9.18.28 and later refuse larger RRsets by default */

static struct set *set_new(enum node_kind kind, const uint8_t *name, size_t len, struct set *parent)
{
    struct set *set = owner_new(kind, sizeof(*set), name, len, 0);
    if (set) {
        set->parent = parent;
        set->position = MEMBERS_NONE;
        set->listed_ttl_s = UINT32_MAX;
    }
    return set;
}

static enum status set_enter(struct zone *zone, struct set *set, bool is_deep, struct set **out)
{
    if (!set)
        return STATUS_NO_MEMORY;
    enum status status = is_deep ? owner_add_deep(zone, &set->node) : owner_add(zone, &set->node);
    if (status != STATUS_OK) {
        free(set);
        return status;
    }
    set->is_listed = true;
    owner_pend(zone, &set->node);
    *out = set;
    return STATUS_OK;
}

enum status set_get_type(struct zone *zone, const uint8_t *name, size_t len, struct set **out)
{
    struct node *node = owner_find(zone, name, len);
    if (!node)
        return set_enter(zone, set_new(NODE_TYPE, name, len, zone->types), false, out);
    *out = (struct set *)node;
    return STATUS_OK;
}

enum status set_get_subtype(struct zone *zone, struct set *type, const char *label,
                            size_t label_len, struct set **out)
{
    uint8_t name[NAME_MAX_LEN + NAME_PAD];
    size_t len = 2 + label_len;
    name[0] = (uint8_t)(1 + label_len);
    name[1] = '_';
    memcpy(name + 2, label, label_len);
    if (len + 5 + type->node.name_len + zone->view.wire_len > NAME_MAX_LEN)
        return STATUS_TOO_LARGE;
    memcpy(name + len, "\4_sub", 5);
    len += 5;
    memcpy(name + len, node_name(&type->node), type->node.name_len);
    len += type->node.name_len;
    struct node *node = owner_find(zone, name, len);
    if (!node)
        return set_enter(zone, set_new(NODE_SUBTYPE, name, len, type), true, out);
    *out = (struct set *)node;
    return STATUS_OK;
}

void set_touch(struct zone *zone, struct set *set)
{
    zone->has_changed = true;
    if (set->is_dirty)
        return;
    set->is_dirty = true;
    set->next_dirty = zone->dirty;
    zone->dirty = set;
}

static void set_warn_if_large(struct zone *zone, struct set *set, uint32_t was)
{
    uint32_t now = set->members.live;
    if (was <= LARGE_TYPE && now > LARGE_TYPE)
        zone->counts.large_types++;
    if (was > LARGE_TYPE && now <= LARGE_TYPE)
        zone->counts.large_types--;
    if (now <= LARGE_TYPE || set->has_warned || zone->leaves_sizes)
        return;
    set->has_warned = true;
    char text[NAME_TEXT_MAX];
    name_to_text(node_name(&set->node), set->node.name_len, text);
    log_printf(&zone->log, LOG_LEVEL_WARNING,
               "%s%s has more than %d instances: BIND 9.18.28 and later refuse RRsets of more than "
               "max-records-per-type (100)",
               text, zone->domain, LARGE_TYPE);
}

static void set_publish(struct zone *zone, struct set *set)
{
    uint32_t was = set->members.published ? set->members.published->count : 0;
    members_publish(&set->members, ttls_least(&set->ttls, zone->view.record_ttl_s));
    if (set->node.kind == NODE_TYPE)
        set_warn_if_large(zone, set, was);
}

/* The list's TTL is the least of its types'. Without memory it stays as it was. */
static void set_list_ttl(struct zone *zone, struct set *type)
{
    struct set *list = zone->types;
    uint32_t most = zone->view.record_ttl_s;
    uint32_t ttl_s = type->position == MEMBERS_NONE ? most : ttls_least(&type->ttls, most);
    if (ttl_s == type->listed_ttl_s || ttls_add(&list->ttls, ttl_s, most) != STATUS_OK)
        return;
    ttls_remove(&list->ttls, type->listed_ttl_s, most);
    type->listed_ttl_s = ttl_s;
}

/* Let the list of types hold a type that has instances, and no other. */
static void set_list_type(struct zone *zone, struct set *type, bool is_wanted)
{
    struct set *list = zone->types;
    if (is_wanted == (type->position != MEMBERS_NONE))
        return;
    if (is_wanted) {
        if (members_append(&list->members, type, &type->position) == STATUS_OK)
            zone->counts.types++;
        return; /* without memory: again when the type is next touched */
    }
    struct set *moved = (struct set *)(uintptr_t)members_remove(&list->members, type->position);
    if (moved)
        moved->position = type->position;
    type->position = MEMBERS_NONE;
    zone->counts.types--;
}

static void set_publish_dirty(struct zone *zone, bool is_empty)
{
    for (struct set *set = zone->dirty; set; set = set->next_dirty)
        if ((set->members.live == 0) == is_empty)
            set_publish(zone, set);
}

/* What has members is published before what points at it; what has lost them all, after. */
void set_publish_all(struct zone *zone)
{
    if (!zone->dirty)
        return;
    set_publish_dirty(zone, false);
    for (struct set *set = zone->dirty; set; set = set->next_dirty)
        if (set->node.kind == NODE_TYPE) {
            set_list_type(zone, set, set->members.live > 0);
            set_list_ttl(zone, set);
        }
    set_publish(zone, zone->types);
    set_publish_dirty(zone, true);
    while (zone->dirty) {
        struct set *set = zone->dirty;
        zone->dirty = set->next_dirty;
        set->is_dirty = false;
    }
}

void set_settle(struct zone *zone, struct set *set)
{
    set->is_listed = false;
    if (set->refs > 0 || set->node.children > 0)
        return;
    members_retire(&set->members);
    ttls_clear(&set->ttls);
    if (set->node.kind == NODE_SUBTYPE)
        owner_remove_deep(zone, &set->node);
    else
        owner_remove(zone, &set->node);
}

void set_free(struct set *set)
{
    members_clear(&set->members);
    ttls_clear(&set->ttls);
    free(set);
}
