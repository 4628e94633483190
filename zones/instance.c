#include "instance.h"

#include "draft.h"
#include "names.h"
#include "same_name.h"
#include "service_type.h"
#include "subtype.h"
#include "target.h"

#include <stdlib.h>
#include <strings.h>

/* Instances of one name that die and come.
 *
 * A name must not be NXDOMAIN while something published points at it. So the last instance of a
 * name is taken out of its type's draft at once, but its node stays in the table of names until the
 * commit has published that draft: it is *dying*, and its reaping is put off (names_defer_reap()).
 *
 * If the name comes back before that commit (an entry is removed and put in one transaction, or
 * registered under other letters), the new instance takes the dying one's slot in the table, so
 * that no reader finds the name missing in between; the dying one is then *gone*, and reaping only
 * frees it.
 *
 * With several keys to the name nothing dies before the last: another becomes the head, and takes
 * over the one position that the name has in its type and in each subtype (instance_replace_head()). */

/* Let go of its target, its type and its subtypes. */
static void instance_release(struct zone *zone, struct instance *instance)
{
    uint32_t ttl_s = instance->key.ttl_s;
    subtype_drop(zone, instance);
    target_remove_user(zone, (struct target *)(uintptr_t)instance->target, ttl_s);
    service_type_remove_user(zone, instance->type, ttl_s);
}

/* Octet for octet, as two values of one key may have. */
static bool instance_has_name_of(const struct instance *a, const struct instance *b)
{
    size_t len = a->key.node.name_len;
    return b->key.node.name_len == len &&
           memcmp(node_name(&a->key.node), node_name(&b->key.node), len) == 0;
}

/* What the instance refers to; on failure nothing is held. Its target and its type are looked up but
 * for what the key's old value, which is mostly a renewal of it, has already. */
static enum status instance_hold_references(struct zone *zone, const struct draft *draft,
                                            const struct entry *entry, const struct instance *old,
                                            struct instance *instance)
{
    uint32_t ttl_s = instance->key.ttl_s;
    bool has_old_target = old && target_is_address(old->target, &entry->location);
    struct target *target = has_old_target ? (struct target *)(uintptr_t)old->target : NULL;
    struct service_type *type = old && instance_has_name_of(old, instance) ? old->type : NULL;
    struct name_padded type_name = {draft->name.octets + draft->type_at,
                                    draft->name.len - draft->type_at};
    enum status status = target ? STATUS_OK : target_get(zone, &entry->location, &target);
    if (status == STATUS_OK && !type)
        status = service_type_get(zone, type_name, &type);
    if (status == STATUS_OK)
        status = target_add_user(zone, target, ttl_s);
    if (status != STATUS_OK)
        return status;
    status = service_type_add_user(zone, type, ttl_s);
    if (status != STATUS_OK) {
        target_remove_user(zone, target, ttl_s);
        return status;
    }
    instance->target = target;
    instance->type = type;
    status = subtype_new(zone, instance, entry);
    if (status != STATUS_OK)
        instance_release(zone, instance);
    return status;
}

void instance_drop(struct zone *zone, struct instance *instance)
{
    instance_release(zone, instance);
    free(instance);
}

enum status instance_new(struct zone *zone, const struct key_parts *parts,
                         const struct change *change, struct instance **out, enum skip *skip,
                         struct detail *why)
{
    bool had_instance = change->old && change->old->node.kind == NODE_INSTANCE;
    const struct instance *old = had_instance ? (const struct instance *)change->old : NULL;
    struct instance *instance = NULL;
    struct entry entry;
    struct draft draft;
    enum status status = entry_parse(change->value, change->value_len, &entry, why);
    *skip = SKIP_BAD_VALUE;
    if (status != STATUS_OK)
        return status;
    *skip = draft_make(zone, parts, &entry, &draft);
    if (*skip != SKIP_NONE)
        status = STATUS_BAD_INPUT;
    else if (!(instance = draft_instance(&draft, &entry, change)))
        status = STATUS_NO_MEMORY;
    else
        status = instance_hold_references(zone, &draft, &entry, old, instance);
    if (status == STATUS_OK)
        *out = instance;
    else
        free(instance);
    entry_clear(&entry);
    return status;
}

/* Another instance is the first of a name that stays. */
static void instance_replace_head(struct zone *zone, struct instance *old_head,
                                  struct instance *head)
{
    names_replace(zone, &old_head->key.node, &head->key.node);
    head->position = old_head->position;
    old_head->position = MEMBER_VECTOR_NONE;
    member_vector_replace(&head->type->members, head->position, old_head, head);
    subtype_replace_head(old_head, head);
}

/* An instance named _sub stands where its type's subtypes have their parent, an empty non-terminal.
 */
static bool instance_is_above_subtypes(const struct instance *instance)
{
    return strncasecmp((const char *)instance_label(instance), "\4_sub", 5) == 0;
}

/* The first instance of a name comes, perhaps before the last has been taken away. */
static enum status instance_first_of_name(struct zone *zone, struct instance *dying,
                                          struct instance *fresh)
{
    struct service_type *type = fresh->type;
    enum status status = service_type_list(zone, type);
    if (status == STATUS_OK)
        status = member_vector_append(&type->members, fresh, &fresh->position);
    if (status != STATUS_OK)
        return status;
    if (dying) {
        dying->is_gone = 1;
        names_replace(zone, &dying->key.node, &fresh->key.node);
        return STATUS_OK;
    }
    status = instance_is_above_subtypes(fresh) ? names_add_deep(zone, &fresh->key.node)
                                               : names_add(zone, &fresh->key.node);
    if (status != STATUS_OK)
        (void)member_vector_remove(&type->members, fresh->position);
    return status;
}

static void instance_last_of_name(struct zone *zone, struct instance *old)
{
    struct service_type *type = old->type;
    struct instance *moved = member_vector_remove(&type->members, old->position);
    if (moved)
        moved->position = old->position;
    old->position = MEMBER_VECTOR_NONE;
    old->is_dying = 1;
    names_defer_reap(zone, &old->key.node);
}

/* The first instance with this one's name. */
static struct instance *instance_head_of(const struct zone *zone, struct instance *instance)
{
    if (instance->position != MEMBER_VECTOR_NONE)
        return instance;
    return (struct instance *)same_name_head(zone, &instance->key);
}

/* Link `fresh` over `old` or beside it. Returns the head. */
static struct instance *instance_link_fresh(struct zone *zone, struct instance *head,
                                            struct instance *old, struct instance *fresh)
{
    if (old)
        subtype_inherit(old, fresh);
    struct instance *first =
        (struct instance *)same_name_link(&head->key, old ? &old->key : NULL, &fresh->key);
    if (first != head)
        instance_replace_head(zone, head, first);
    return first;
}

/* All that may fail: its places in its sets, and, without a head, that of its name. */
static enum status instance_take_places(struct zone *zone, struct instance *head,
                                        struct instance *dying, struct instance *fresh)
{
    enum status status = subtype_join(zone, head, fresh);
    if (status != STATUS_OK || head)
        return status;
    status = instance_first_of_name(zone, dying, fresh);
    if (status != STATUS_OK)
        subtype_unjoin(fresh);
    return status;
}

static enum status instance_enter(struct zone *zone, struct instance *head, struct instance *old,
                                  struct instance *fresh)
{
    struct instance *dying = head && head->is_dying ? head : NULL;
    if (dying)
        head = NULL;
    if (head && !old && same_name_is_full(&head->key))
        return STATUS_TOO_LARGE;
    enum status status = instance_take_places(zone, head, dying, fresh);
    if (status != STATUS_OK)
        return status;
    if (head) {
        zone->counts.collisions += !old;
        head = instance_link_fresh(zone, head, old, fresh);
    } else {
        head = fresh;
    }
    if (old)
        subtype_leave(zone, head, old);
    zone->counts.services++;
    zone->counts.ignored_members += fresh->ignored;
    service_type_touch(zone, fresh->type);
    return STATUS_OK;
}

static void instance_leave(struct zone *zone, struct instance *old)
{
    struct instance *head = instance_head_of(zone, old);
    struct instance *first = (struct instance *)same_name_unlink(&head->key, &old->key);
    if (!first)
        instance_last_of_name(zone, old);
    else
        zone->counts.collisions--;
    if (first && first != head)
        instance_replace_head(zone, head, first);
    subtype_leave(zone, first, old);
}

enum status instance_swap(struct zone *zone, struct instance *old, struct instance *fresh)
{
    bool is_same_name = old && fresh && instance_has_name_of(old, fresh);
    /* First what may fail. And where the name changes, both exist for a moment rather than neither. */
    if (fresh) {
        struct instance *head = instance_head_of(zone, is_same_name ? old : fresh);
        enum status status = instance_enter(zone, head, is_same_name ? old : NULL, fresh);
        if (status != STATUS_OK)
            return status;
    }
    if (!old)
        return STATUS_OK;
    if (!is_same_name)
        instance_leave(zone, old);
    zone->counts.services--;
    zone->counts.ignored_members -= old->ignored;
    instance_release(zone, old);
    if (!old->is_dying)
        rcu_retire(old);
    return STATUS_OK;
}

void instance_reap(struct zone *zone, struct instance *instance)
{
    if (instance->is_gone)
        rcu_retire(instance);
    else if (instance_is_above_subtypes(instance))
        names_remove_deep(zone, &instance->key.node);
    else
        names_remove(zone, &instance->key.node);
}

void instance_free(struct instance *instance)
{
    free(instance->subtypes);
    free(instance);
}
