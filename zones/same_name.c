#include "same_name.h"

#include "key_node.h"
#include "names.h"

struct key_node *same_name_head(const struct zone *zone, const struct key_node *node)
{
    struct node *found = names_find(zone, node_padded(&node->node));
    return found && found->kind == node->node.kind ? (struct key_node *)found : NULL;
}

bool same_name_is_full(const struct key_node *head)
{
    unsigned count = 0;
    for (; head; head = head->next)
        count++;
    return count >= SAME_NAME_MAX;
}

/* What `node` belongs behind; NULL = it is the first. */
static struct key_node *same_name_predecessor(struct key_node *head, const struct key_node *node)
{
    struct key_node *before = NULL;
    for (struct key_node *at = head; at && at != node; at = at->next) {
        if (key_node_compare(at, node) >= 0)
            break;
        before = at;
    }
    return before;
}

/* A reader may stand anywhere in the list meanwhile. So `fresh` knows what follows it before
 * anything leads to it, and one that is taken out goes on pointing there until it is freed: from
 * either, a reader finds the rest. */
struct key_node *same_name_link(struct key_node *head, struct key_node *old, struct key_node *fresh)
{
    /* Mostly a name has one key, which need not be compared with itself. */
    struct key_node *before = head == old ? NULL : same_name_predecessor(head, fresh);
    struct key_node *at = before ? before->next : head;
    fresh->next = old && at == old ? old->next : at;
    if (!before)
        return fresh;
    rcu_publish(before->next, fresh);
    return head;
}

struct key_node *same_name_unlink(struct key_node *head, struct key_node *old)
{
    struct key_node *before = same_name_predecessor(head, old);
    if (!before)
        return old->next;
    rcu_publish(before->next, old->next);
    return head;
}
