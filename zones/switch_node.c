#include "switch_node.h"

#include "names.h"
#include "same_name.h"
#include "zones/name/label.h"
#include "zones/name/txt.h"

enum status switch_node_new(const struct zone *zone, const struct key_parts *parts,
                            const struct change *change, struct switch_node **out, enum skip *skip)
{
    static const uint8_t below[] = "\6switch";
    uint8_t name[NAME_MAX_LEN + sizeof(below)], txt[TXT_SWITCH_SIZE_MAX];
    size_t len, txt_len;
    *skip = SKIP_BAD_SWITCH_NAME;
    enum status status = label_switch(parts->name, parts->name_len, name, &len);
    if (status == STATUS_TOO_LARGE)
        *skip = SKIP_NAME_TOO_LONG;
    if (status != STATUS_OK)
        return STATUS_BAD_INPUT;
    *skip = SKIP_NAME_TOO_LONG;
    /* label_switch() knows no zone. */
    if (len + 7 + zone->view.wire.len > NAME_MAX_LEN)
        return STATUS_BAD_INPUT;
    memcpy(name + len, below, 7);
    len += 7;
    *skip = SKIP_VALUE_TOO_LONG;
    if (txt_switch(change->value, change->value_len, txt, sizeof(txt), &txt_len) != STATUS_OK)
        return STATUS_BAD_INPUT;
    *skip = SKIP_NONE;
    struct switch_node *node =
        names_new(NODE_SWITCH, sizeof(*node), name, len, txt_len + change->key_len);
    if (!node)
        return STATUS_NO_MEMORY;
    node->key.ttl_s = change->ttl_s;
    /* Always stored, unlike an instance's: switches are few, and their names say it backwards. */
    node->key.key_len = (uint16_t)change->key_len;
    node->txt_len = (uint16_t)txt_len;
    uint8_t *at = mempcpy((uint8_t *)(node + 1) + len, txt, txt_len);
    memcpy(at, change->key, change->key_len);
    *out = node;
    return STATUS_OK;
}

static enum status switch_node_enter(struct zone *zone, struct key_node *head, struct key_node *old,
                                     struct key_node *fresh)
{
    if (!head)
        return names_add_deep(zone, &fresh->node);
    if (!old && same_name_is_full(head))
        return STATUS_TOO_LARGE;
    if (same_name_link(head, old, fresh) == fresh)
        names_replace(zone, &head->node, &fresh->node);
    zone->counts.collisions += !old;
    return STATUS_OK;
}

/* Its name may go at once, unlike an instance's: no record points at a switch, so nothing names
 * what is NXDOMAIN then. */
static void switch_node_leave(struct zone *zone, struct key_node *old)
{
    struct key_node *head = same_name_head(zone, old), *first = same_name_unlink(head, old);
    if (!first) {
        names_remove_deep(zone, &old->node); /* with children it stays as their parent */
        return;
    }
    zone->counts.collisions--;
    if (first != head)
        names_replace(zone, &old->node, &first->node);
    rcu_retire(old);
}

/* `old` and `fresh` have one name: it follows from the key alone. (An instance's does not: its value
 * says tcp or udp.) */
enum status switch_node_swap(struct zone *zone, struct switch_node *old, struct switch_node *fresh)
{
    if (fresh) {
        struct key_node *head = same_name_head(zone, &fresh->key);
        enum status status = switch_node_enter(zone, head, old ? &old->key : NULL, &fresh->key);
        if (status != STATUS_OK)
            return status;
        if (old)
            rcu_retire(old);
    } else if (old) {
        switch_node_leave(zone, &old->key);
    }
    zone->has_changed = true;
    zone->counts.switches += (uint64_t)(fresh != NULL) - (uint64_t)(old != NULL);
    return STATUS_OK;
}
