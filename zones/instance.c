#include "internal.h"
#include "zones/name/label.h"
#include "zones/name/txt.h"

#include <stdlib.h>

/* An instance is built whole before anything refers to it; then it is swapped in (chain.c) by steps
 * that cannot fail. */

static_assert(ENTRY_VALUE_MAX / 2 <= UINT16_MAX, "struct instance counts what is ignored");

struct draft {
    struct label_type type;
    struct label label;
    bool is_mangled, key_is_derived;
    uint8_t name[NAME_MAX_LEN + NAME_PAD];
    size_t name_len, type_at;
    uint8_t host[NAME_MAX_LEN];
    size_t host_len;
    uint8_t txt[TXT_INSTANCE_SIZE_MAX];
    size_t txt_len;
    struct txt_place type_place;
};

static const struct instance *instance_as_instance(const struct record *record)
{
    return record && record->node.kind == NODE_INSTANCE ? (const struct instance *)record : NULL;
}

static void instance_draft_host(const struct entry *entry, struct draft *draft)
{
    draft->host_len = entry->location.kind == HOST_KIND_NAME
                          ? target_host_wire(&entry->location, draft->host)
                          : 0;
}

static void instance_draft_txt(const struct entry *entry, struct draft *draft)
{
    bool has_type = draft->type.is_changed;
    draft->txt_len = 0;
    draft->type_place = (struct txt_place){0};
    if (entry->txt_count > 0 || has_type)
        draft->txt_len =
            txt_instance(entry->txt, entry->txt_count, has_type ? draft->type.base : NULL,
                         draft->type.base_len, draft->txt, sizeof(draft->txt), &draft->type_place);
}

/* <label>.<type>.<_tcp|_udp> */
static enum zone_skip instance_draft_name(const struct zone *zone, const struct entry *entry,
                                          struct draft *draft)
{
    enum entry_protocol protocol = draft->type.protocol;
    if (protocol == ENTRY_PROTOCOL_NONE)
        protocol = entry->protocol;
    size_t len = 2u + draft->label.len + draft->type.label.len + 5;
    if (len + zone->view.wire_len > NAME_MAX_LEN)
        return ZONE_SKIP_NAME_TOO_LONG;
    if (entry->location.kind == HOST_KIND_NAME && !entry->location.is_dotted &&
        draft->host_len + zone->view.host_len > NAME_MAX_LEN)
        return ZONE_SKIP_NAME_TOO_LONG;
    uint8_t *at = draft->name;
    *at++ = draft->label.len;
    memcpy(at, draft->label.octets, draft->label.len);
    at += draft->label.len;
    draft->type_at = (size_t)(at - draft->name);
    *at++ = draft->type.label.len;
    memcpy(at, draft->type.label.octets, draft->type.label.len);
    at += draft->type.label.len;
    memcpy(at, protocol == ENTRY_PROTOCOL_UDP ? "\4_udp" : "\4_tcp", 5);
    draft->name_len = len;
    return ZONE_SERVED;
}

static enum zone_skip instance_draft_all(const struct zone *zone, const struct key_parts *parts,
                                         const struct entry *entry, struct draft *draft)
{
    label_type(parts->type, parts->type_len, &draft->type);
    if (draft->type.is_reserved)
        return ZONE_SKIP_RESERVED;
    label_instance(parts->name, parts->name_len, &draft->label, &draft->is_mangled);
    draft->key_is_derived = !draft->is_mangled && parts->type_len + 1 == draft->type.label.len &&
                            memcmp(parts->type, draft->type.label.octets + 1, parts->type_len) == 0;
    instance_draft_host(entry, draft);
    instance_draft_txt(entry, draft);
    return instance_draft_name(zone, entry, draft);
}

static struct instance *instance_assemble(const struct draft *draft, const struct entry *entry,
                                          const struct change *told)
{
    size_t stored_key = draft->key_is_derived ? 0 : told->key_len;
    size_t location = entry->location_text.len;
    struct instance *instance =
        owner_new(NODE_INSTANCE, sizeof(*instance), draft->name, draft->name_len,
                  draft->txt_len + location + draft->host_len + stored_key);
    if (!instance)
        return NULL;
    instance->record.ttl_s = told->ttl_s;
    instance->record.key_len = (uint16_t)stored_key;
    instance->priority = entry->priority;
    instance->weight = entry->is_draining ? 0 : entry->weight;
    instance->port = entry->location.port;
    instance->txt_len = (uint16_t)draft->txt_len;
    instance->type_at = (uint16_t)draft->type_place.at;
    instance->type_len = (uint16_t)draft->type_place.len;
    instance->location_len = (uint16_t)location;
    instance->host_len = (uint8_t)draft->host_len;
    instance->name_is_label = !draft->is_mangled;
    instance->host_is_whole = entry->location.is_dotted;
    instance->position = MEMBERS_NONE;
    instance->ignored = (uint16_t)entry->ignored;
    uint8_t *at = (uint8_t *)(instance + 1) + draft->name_len;
    memcpy(at, draft->txt, draft->txt_len);
    at += draft->txt_len;
    memcpy(at, entry->location_text.text, location);
    at += location;
    memcpy(at, draft->host, draft->host_len);
    memcpy(at + draft->host_len, told->key, stored_key);
    return instance;
}

void instance_release(struct zone *zone, struct instance *instance)
{
    uint32_t ttl_s = instance->record.ttl_s;
    target_unref(zone, (struct target *)(uintptr_t)instance->target, ttl_s);
    struct set *type = instance->type;
    ttls_remove(&type->ttls, ttl_s, zone->view.record_ttl_s);
    set_touch(zone, type);
    if (--type->refs == 0 && !type->is_listed) {
        type->is_listed = true;
        owner_pend(zone, &type->node);
    }
}

bool instance_has_name_of(const struct instance *a, const struct instance *b)
{
    size_t len = a->record.node.name_len;
    return b->record.node.name_len == len &&
           memcmp(node_name(&a->record.node), node_name(&b->record.node), len) == 0;
}

/* The target and the type of a new instance: those of the key's old one, or looked up. */
static enum status instance_find_references(struct zone *zone, const struct draft *draft,
                                            const struct entry *entry, const struct instance *old,
                                            const struct instance *new, struct target **target,
                                            struct set **type)
{
    enum status status = STATUS_OK;
    if (old && target_is_address(old->target, &entry->location))
        *target = (struct target *)(uintptr_t)old->target;
    else
        status = target_get(zone, &entry->location, target);
    if (status != STATUS_OK)
        return status;
    if (old && instance_has_name_of(old, new))
        *type = old->type;
    else
        status = set_get_type(zone, draft->name + draft->type_at, draft->name_len - draft->type_at,
                              type);
    return status;
}

/* What the instance refers to; on failure nothing is held. */
static enum status instance_hold_references(struct zone *zone, const struct draft *draft,
                                            const struct entry *entry, const struct instance *old,
                                            struct instance *instance)
{
    uint32_t ttl_s = instance->record.ttl_s;
    struct target *target;
    struct set *type;
    enum status status =
        instance_find_references(zone, draft, entry, old, instance, &target, &type);
    if (status == STATUS_OK)
        status = target_ref(zone, target, ttl_s);
    if (status != STATUS_OK)
        return status;
    status = ttls_add(&type->ttls, ttl_s, zone->view.record_ttl_s);
    if (status != STATUS_OK) {
        target_unref(zone, target, ttl_s);
        return status;
    }
    type->refs++;
    instance->target = target;
    instance->type = type;
    status = subtype_new(zone, instance, entry);
    if (status != STATUS_OK) {
        subtype_drop(zone, instance);
        instance_release(zone, instance);
    }
    return status;
}

void instance_drop(struct zone *zone, struct instance *instance)
{
    subtype_drop(zone, instance);
    instance_release(zone, instance);
    free(instance);
}

enum status instance_new(struct zone *zone, const struct key_parts *parts,
                         const struct change *told, struct instance **out, enum zone_skip *skip,
                         struct detail *why)
{
    struct entry entry;
    enum status status = entry_parse(told->value, told->value_len, &entry, why);
    *skip = ZONE_SKIP_BAD_VALUE;
    if (status != STATUS_OK)
        return status;
    struct draft draft;
    struct instance *instance = NULL;
    *skip = instance_draft_all(zone, parts, &entry, &draft);
    if (*skip != ZONE_SERVED) {
        status = STATUS_BAD_INPUT;
        goto done;
    }
    instance = instance_assemble(&draft, &entry, told);
    if (!instance) {
        status = STATUS_NO_MEMORY;
        goto done;
    }
    status =
        instance_hold_references(zone, &draft, &entry, instance_as_instance(told->old), instance);
    if (status == STATUS_OK)
        *out = instance;
    else
        free(instance);
done:
    entry_clear(&entry);
    return status;
}

void instance_free(struct instance *instance)
{
    free(instance->subtypes);
    free(instance);
}

const uint8_t *instance_registry_name(const struct instance *instance, size_t *len)
{
    const uint8_t *label = instance_label(instance);
    if (instance->name_is_label) {
        *len = label[0];
        return label + 1;
    }
    /* "/service/<type>/<name>" */
    const uint8_t *key = instance_key(instance), *end = key + instance->record.key_len;
    const uint8_t *name = memchr(key + 9, '/', (size_t)(end - key - 9));
    *len = (size_t)(end - name - 1);
    return name + 1;
}
