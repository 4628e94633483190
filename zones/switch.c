#include "internal.h"
#include "zones/name/label.h"
#include "zones/name/txt.h"

#include <stdlib.h>

enum status switch_new(const struct zone *zone, const struct key_parts *parts,
                       const struct change *told, struct switch_ **out, enum zone_skip *skip)
{
    static const uint8_t below[] = "\6switch";
    uint8_t name[LABEL_WIRE_MAX + sizeof(below)], txt[TXT_SWITCH_SIZE_MAX];
    size_t len, txt_len;
    *skip = ZONE_SKIP_BAD_SWITCH_NAME;
    enum status status = label_switch(parts->name, parts->name_len, name, &len);
    if (status == STATUS_TOO_LARGE)
        *skip = ZONE_SKIP_NAME_TOO_LONG;
    if (status != STATUS_OK)
        return STATUS_BAD_INPUT;
    *skip = ZONE_SKIP_NAME_TOO_LONG;
    if (len + 7 + zone->view.wire_len > NAME_MAX_LEN)
        return STATUS_BAD_INPUT;
    memcpy(name + len, below, 7);
    len += 7;
    *skip = ZONE_SKIP_VALUE_TOO_LONG;
    if (txt_switch(told->value, told->value_len, txt, sizeof(txt), &txt_len) != STATUS_OK)
        return STATUS_BAD_INPUT;
    *skip = ZONE_SERVED;
    struct switch_ *switch_ =
        owner_new(NODE_SWITCH, sizeof(*switch_), name, len, txt_len + told->key_len);
    if (!switch_)
        return STATUS_NO_MEMORY;
    switch_->record.ttl_s = told->ttl_s;
    switch_->record.key_len = (uint16_t)told->key_len;
    switch_->txt_len = (uint16_t)txt_len;
    uint8_t *at = (uint8_t *)(switch_ + 1) + len;
    memcpy(at, txt, txt_len);
    memcpy(at + txt_len, told->key, told->key_len);
    *out = switch_;
    return STATUS_OK;
}

/* Another key may differ from this one in letters' case alone; the smallest key's value is shown.
 */
static struct switch_ *switch_head_of(const struct zone *zone, const struct switch_ *switch_)
{
    const struct node *node = &switch_->record.node;
    struct node *found = owner_find(zone, node_name(node), node->name_len);
    return found && found->kind == NODE_SWITCH ? (struct switch_ *)found : NULL;
}

static bool switch_is_crowded(const struct switch_ *head)
{
    unsigned count = 0;
    for (; head; head = head->next)
        count++;
    return count >= CHAIN_MAX;
}

static enum status switch_enter(struct zone *zone, struct switch_ *head, struct switch_ *old,
                                struct switch_ *new)
{
    if (!head)
        return owner_add_deep(zone, &new->record.node);
    if (!old && switch_is_crowded(head))
        return STATUS_TOO_LARGE;
    struct switch_ *before = NULL, *at = head;
    while (at && record_compare(&at->record, &new->record) < 0) {
        before = at;
        at = at->next;
    }
    new->next = at == old &&old ? old->next : at;
    if (before)
        before->next = new;
    else
        owner_replace(zone, &head->record.node, &new->record.node);
    zone->counts.collisions += !old;
    return STATUS_OK;
}

static void switch_leave(struct zone *zone, struct switch_ *old)
{
    struct switch_ *head = switch_head_of(zone, old);
    if (head == old && !old->next) {
        owner_remove_deep(zone, &old->record.node); /* with children it stays as their parent */
        return;
    }
    zone->counts.collisions--;
    if (head == old) {
        owner_replace(zone, &old->record.node, &old->next->record.node);
    } else {
        struct switch_ *before = head;
        while (before->next != old)
            before = before->next;
        before->next = old->next;
    }
    rcu_retire(old);
}

enum status switch_swap(struct zone *zone, struct switch_ *old, struct switch_ *new)
{
    if (new) {
        enum status status = switch_enter(zone, switch_head_of(zone, new), old, new);
        if (status != STATUS_OK)
            return status;
        if (old)
            rcu_retire(old);
    } else if (old) {
        switch_leave(zone, old);
    }
    zone->has_changed = true;
    zone->counts.switches += (uint64_t)(new != NULL) - (uint64_t)(old != NULL);
    return STATUS_OK;
}
