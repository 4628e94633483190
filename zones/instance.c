#include "internal.h"
#include "label.h"
#include "txt.h"

#include <stdlib.h>

/* An instance is built whole before anything refers to it; then it is swapped in by steps that
 * cannot fail. */

struct draft {
    struct label_type type;
    struct label label;
    bool is_mangled, key_is_derived;
    uint8_t name[NAME_MAX_LEN];
    size_t name_len, type_at;
    uint8_t host[NAME_MAX_LEN];
    size_t host_len;
    uint8_t txt[TXT_INSTANCE_SIZE_MAX];
    size_t txt_len;
    struct txt_place type_place;
};

static void draft_host(const struct entry *entry, struct draft *draft)
{
    draft->host_len = entry->location.kind == HOST_KIND_NAME
                          ? target_host_wire(&entry->location, draft->host)
                          : 0;
}

static void draft_txt(const struct entry *entry, struct draft *draft)
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
static enum zone_skip draft_name(const struct zone *zone, const struct entry *entry,
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

static enum zone_skip draft_all(const struct zone *zone, const struct tree_parts *parts,
                                const struct entry *entry, struct draft *draft)
{
    label_type(parts->type, parts->type_len, &draft->type);
    if (draft->type.is_reserved)
        return ZONE_SKIP_RESERVED;
    label_instance(parts->name, parts->name_len, &draft->label, &draft->is_mangled);
    draft->key_is_derived = !draft->is_mangled && parts->type_len + 1 == draft->type.label.len &&
                            memcmp(parts->type, draft->type.label.octets + 1, parts->type_len) == 0;
    draft_host(entry, draft);
    draft_txt(entry, draft);
    return draft_name(zone, entry, draft);
}

static struct instance *assemble(const struct draft *draft, const struct entry *entry,
                                 const char *key, size_t key_len, uint32_t ttl_s)
{
    size_t stored_key = draft->key_is_derived ? 0 : key_len;
    size_t location = entry->location_text.len;
    struct instance *instance =
        owner_new(NODE_INSTANCE, sizeof(*instance), draft->name, draft->name_len,
                  draft->txt_len + location + draft->host_len + stored_key);
    if (!instance)
        return NULL;
    instance->record.ttl_s = ttl_s;
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
    instance->ignored = entry->ignored;
    uint8_t *at = (uint8_t *)(instance + 1) + draft->name_len;
    memcpy(at, draft->txt, draft->txt_len);
    at += draft->txt_len;
    memcpy(at, entry->location_text.text, location);
    at += location;
    memcpy(at, draft->host, draft->host_len);
    memcpy(at + draft->host_len, key, stored_key);
    return instance;
}

static void drop_references(struct zone *zone, struct instance *instance)
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

/* What the instance refers to; on failure nothing is held. */
static enum status hold_references(struct zone *zone, const struct draft *draft,
                                   const struct entry *entry, struct instance *instance)
{
    uint32_t ttl_s = instance->record.ttl_s;
    struct target *target;
    struct set *type;
    enum status status = target_get(zone, &entry->location, &target);
    if (status == STATUS_OK)
        status = set_get_type(zone, draft->name + draft->type_at, draft->name_len - draft->type_at,
                              &type);
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
        drop_references(zone, instance);
    }
    return status;
}

void instance_drop(struct zone *zone, struct instance *instance)
{
    subtype_drop(zone, instance);
    drop_references(zone, instance);
    free(instance);
}

enum status instance_new(struct zone *zone, const struct tree_parts *parts, const char *key,
                         size_t key_len, const char *value, size_t value_len, uint32_t ttl_s,
                         struct instance **out, enum zone_skip *skip, struct detail *why)
{
    struct entry entry;
    enum status status = entry_parse(value, value_len, &entry, why);
    *skip = ZONE_SKIP_BAD_VALUE;
    if (status != STATUS_OK)
        return status;
    struct draft draft;
    struct instance *instance = NULL;
    *skip = draft_all(zone, parts, &entry, &draft);
    if (*skip != ZONE_SERVED) {
        status = STATUS_BAD_INPUT;
        goto done;
    }
    instance = assemble(&draft, &entry, key, key_len, ttl_s);
    if (!instance) {
        status = STATUS_NO_MEMORY;
        goto done;
    }
    status = hold_references(zone, &draft, &entry, instance);
    if (status == STATUS_OK)
        *out = instance;
    else
        free(instance);
done:
    entry_clear(&entry);
    return status;
}

/* Where `instance` belongs in a chain that is ordered by key: behind the returned one, NULL =
 * first. */
static struct instance *predecessor(struct instance *head, const struct instance *instance)
{
    struct instance *before = NULL;
    for (struct instance *at = head; at; at = at->next) {
        if (record_compare(&at->record, &instance->record) >= 0)
            break;
        before = at;
    }
    return before;
}

/* Another instance is the first of a name that stays. */
static void move_head(struct zone *zone, struct instance *old_head, struct instance *head)
{
    owner_replace(zone, &old_head->record.node, &head->record.node);
    head->position = old_head->position;
    members_replace(&head->type->members, head->position, old_head, head);
    subtype_move_head(old_head, head);
}

/* An instance named _sub stands where its type's subtypes have their parent, an empty non-terminal.
 */
static bool is_above_subtypes(const struct instance *instance)
{
    static const uint8_t label[] = "\4_sub";
    const uint8_t *name = instance_label(instance);
    for (size_t i = 0; i < sizeof(label) - 1; i++)
        if (name_fold_octet(name[i]) != label[i])
            return false;
    return true;
}

/* The first instance of a name comes, perhaps before the last has been taken away. */
static enum status first_of_name(struct zone *zone, struct instance *dying, struct instance *new)
{
    struct set *type = new->type;
    enum status status = members_append(&type->members, new, &new->position);
    if (status != STATUS_OK)
        return status;
    if (dying) {
        dying->is_gone = 1;
        owner_replace(zone, &dying->record.node, &new->record.node);
        return STATUS_OK;
    }
    status = is_above_subtypes(new) ? owner_add_deep(zone, &new->record.node)
                                    : owner_add(zone, &new->record.node);
    if (status != STATUS_OK)
        (void)members_remove(&type->members, new->position);
    return status;
}

static void last_of_name(struct zone *zone, struct instance *old)
{
    struct set *type = old->type;
    struct instance *moved =
        (struct instance *)(uintptr_t)members_remove(&type->members, old->position);
    if (moved)
        moved->position = old->position;
    old->is_dying = 1;
    owner_pend(zone, &old->record.node);
}

/* Link `new` at its place in the chain, over `old` if that is its key's. Returns the head. */
static struct instance *link_new(struct zone *zone, struct instance *head, struct instance *old,
                                 struct instance *new)
{
    struct instance *before = predecessor(head, new);
    struct instance *at = before ? before->next : head;
    new->next = at == old &&old ? old->next : at;
    if (old)
        subtype_inherit(old, new);
    if (before) {
        rcu_publish(before->next, new);
        return head;
    }
    move_head(zone, head, new);
    return new;
}

/* Unlink `old` from its chain, the key going. Returns the head, NULL when none is left. */
static struct instance *unlink_old(struct zone *zone, struct instance *head, struct instance *old)
{
    struct instance *before = predecessor(head, old);
    if (before) {
        rcu_publish(before->next, old->next);
        return head;
    }
    if (!old->next) {
        last_of_name(zone, old);
        return NULL;
    }
    move_head(zone, old, old->next);
    return old->next;
}

static struct instance *head_of(const struct zone *zone, const struct instance *instance)
{
    const struct node *node = &instance->record.node;
    struct node *found = owner_find(zone, node_name(node), node->name_len);
    return found && found->kind == NODE_INSTANCE ? (struct instance *)found : NULL;
}

static enum status enter(struct zone *zone, struct instance *head, struct instance *old,
                         struct instance *new)
{
    struct instance *dying = head && head->is_dying ? head : NULL;
    if (dying || !head) {
        enum status status = first_of_name(zone, dying, new);
        if (status != STATUS_OK)
            return status;
        head = new;
    } else {
        zone->counts.collisions += !old;
        head = link_new(zone, head, old, new);
    }
    if (old)
        subtype_leave(zone, head, old);
    subtype_join(zone, head, new);
    zone->counts.services++;
    zone->counts.ignored_members += new->ignored;
    set_touch(zone, new->type);
    return STATUS_OK;
}

static void leave(struct zone *zone, struct instance *old)
{
    struct instance *head = head_of(zone, old);
    if (head != old || old->next)
        zone->counts.collisions--;
    head = unlink_old(zone, head, old);
    subtype_leave(zone, head, old);
}

enum status instance_swap(struct zone *zone, struct instance *old, struct instance *new)
{
    struct instance *head = new ? head_of(zone, new) : NULL;
    bool is_same_name = old && new &&head_of(zone, old) == head;
    if (new) {
        enum status status = enter(zone, head, is_same_name ? old : NULL, new);
        if (status != STATUS_OK)
            return status;
    }
    if (!old)
        return STATUS_OK;
    if (!is_same_name)
        leave(zone, old);
    zone->counts.services--;
    zone->counts.ignored_members -= old->ignored;
    drop_references(zone, old);
    if (!old->is_dying)
        rcu_retire(old);
    return STATUS_OK;
}

void instance_settle(struct zone *zone, struct instance *instance)
{
    if (instance->is_gone)
        rcu_retire(instance);
    else if (is_above_subtypes(instance))
        owner_remove_deep(zone, &instance->record.node);
    else
        owner_remove(zone, &instance->record.node);
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
