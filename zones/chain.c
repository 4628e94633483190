#include "internal.h"

/* Where `instance` belongs in a chain that is ordered by key: behind the returned one, NULL =
 * first. */
static struct instance *chain_predecessor(struct instance *head, const struct instance *instance)
{
    struct instance *before = NULL;
    for (struct instance *at = head; at && at != instance; at = at->next) {
        if (record_compare(&at->record, &instance->record) >= 0)
            break;
        before = at;
    }
    return before;
}

/* Another instance is the first of a name that stays. */
static void chain_move_head(struct zone *zone, struct instance *old_head, struct instance *head)
{
    owner_replace(zone, &old_head->record.node, &head->record.node);
    head->position = old_head->position;
    old_head->position = MEMBERS_NONE;
    members_replace(&head->type->members, head->position, old_head, head);
    subtype_move_head(old_head, head);
}

/* An instance named _sub stands where its type's subtypes have their parent, an empty non-terminal.
 */
static bool chain_is_above_subtypes(const struct instance *instance)
{
    static const uint8_t label[] = "\4_sub";
    const uint8_t *name = instance_label(instance);
    for (size_t i = 0; i < sizeof(label) - 1; i++)
        if (name_fold_octet(name[i]) != label[i])
            return false;
    return true;
}

/* The first instance of a name comes, perhaps before the last has been taken away. */
static enum status chain_first_of_name(struct zone *zone, struct instance *dying,
                                       struct instance *new)
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
    status = chain_is_above_subtypes(new) ? owner_add_deep(zone, &new->record.node)
                                          : owner_add(zone, &new->record.node);
    if (status != STATUS_OK)
        (void)members_remove(&type->members, new->position);
    return status;
}

static void chain_last_of_name(struct zone *zone, struct instance *old)
{
    struct set *type = old->type;
    struct instance *moved =
        (struct instance *)(uintptr_t)members_remove(&type->members, old->position);
    if (moved)
        moved->position = old->position;
    old->position = MEMBERS_NONE;
    old->is_dying = 1;
    owner_pend(zone, &old->record.node);
}

/* Link `new` at its place in the chain, over `old` if that is its key's. Returns the head. */
static struct instance *chain_link_new(struct zone *zone, struct instance *head,
                                       struct instance *old, struct instance *new)
{
    struct instance *before = head == old ? NULL : chain_predecessor(head, new);
    struct instance *at = before ? before->next : head;
    new->next = at == old &&old ? old->next : at;
    if (old)
        subtype_inherit(old, new);
    if (before) {
        rcu_publish(before->next, new);
        return head;
    }
    chain_move_head(zone, head, new);
    return new;
}

/* Unlink `old` from its chain, the key going. Returns the head, NULL when none is left. */
static struct instance *chain_unlink_old(struct zone *zone, struct instance *head,
                                         struct instance *old)
{
    struct instance *before = chain_predecessor(head, old);
    if (before) {
        rcu_publish(before->next, old->next);
        return head;
    }
    if (!old->next) {
        chain_last_of_name(zone, old);
        return NULL;
    }
    chain_move_head(zone, old, old->next);
    return old->next;
}

/* The first instance with this one's name. */
static struct instance *chain_head_of(const struct zone *zone, struct instance *instance)
{
    if (instance->position != MEMBERS_NONE)
        return instance;
    const struct node *node = &instance->record.node;
    struct node *found = owner_find(zone, node_name(node), node->name_len);
    return found && found->kind == NODE_INSTANCE ? (struct instance *)found : NULL;
}

static bool chain_is_crowded(const struct instance *head)
{
    unsigned count = 0;
    for (; head; head = head->next)
        count++;
    return count >= CHAIN_MAX;
}

static enum status chain_enter(struct zone *zone, struct instance *head, struct instance *old,
                               struct instance *new)
{
    struct instance *dying = head && head->is_dying ? head : NULL;
    if (dying || !head) {
        enum status status = chain_first_of_name(zone, dying, new);
        if (status != STATUS_OK)
            return status;
        head = new;
    } else if (!old && chain_is_crowded(head)) {
        return STATUS_TOO_LARGE;
    } else {
        zone->counts.collisions += !old;
        head = chain_link_new(zone, head, old, new);
    }
    if (old)
        subtype_leave(zone, head, old);
    subtype_join(zone, head, new);
    zone->counts.services++;
    zone->counts.ignored_members += new->ignored;
    set_touch(zone, new->type);
    return STATUS_OK;
}

static void chain_leave(struct zone *zone, struct instance *old)
{
    struct instance *head = chain_head_of(zone, old);
    if (head != old || old->next)
        zone->counts.collisions--;
    head = chain_unlink_old(zone, head, old);
    subtype_leave(zone, head, old);
}

enum status chain_swap(struct zone *zone, struct instance *old, struct instance *new)
{
    bool is_same_name = old && new &&instance_has_name_of(old, new);
    if (new) {
        struct instance *head = chain_head_of(zone, is_same_name ? old : new);
        enum status status = chain_enter(zone, head, is_same_name ? old : NULL, new);
        if (status != STATUS_OK)
            return status;
    }
    if (!old)
        return STATUS_OK;
    if (!is_same_name)
        chain_leave(zone, old);
    zone->counts.services--;
    zone->counts.ignored_members -= old->ignored;
    instance_release(zone, old);
    if (!old->is_dying)
        rcu_retire(old);
    return STATUS_OK;
}

void chain_settle(struct zone *zone, struct instance *instance)
{
    if (instance->is_gone)
        rcu_retire(instance);
    else if (chain_is_above_subtypes(instance))
        owner_remove_deep(zone, &instance->record.node);
    else
        owner_remove(zone, &instance->record.node);
}
