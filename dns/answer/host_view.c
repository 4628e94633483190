#include "host_view.h"

bool host_view_rewrite(struct query *query, size_t len, unsigned labels)
{
    uint8_t *name = query->folded;
    size_t type_at = query->labels[labels - 2], type_len = name[type_at];
    if (labels > 3 || type_len == NAME_LABEL_MAX || (labels == 3 && !name_is_host_label(name)))
        return false;
    memmove(name + type_at + 2, name + type_at + 1, type_len);
    name[type_at] = (uint8_t)(type_len + 1);
    name[type_at + 1] = '_';
    memcpy(name + type_at + 2 + type_len, "\4_tcp", 5);
    query->key_len = (uint16_t)(len - 2);
    return true;
}

static bool host_view_add_node(const struct node *node, struct sources *sources, unsigned i)
{
    if (node && node_kind(node) == NODE_TYPE)
        sources->sets[i] = rcu_read(((const struct set *)node)->members.published);
    else if (node && node_kind(node) == NODE_INSTANCE)
        sources->chains[i] = (const struct instance *)node;
    else
        return false;
    return true;
}

bool host_view_find(const struct view *view, const struct query *query, struct sources *sources)
{
    uint8_t other[QUERY_NAME_MAX + NAME_PAD + 1];
    size_t len = query->key_len;
    memcpy(other, query->folded, len);
    memset(other + len, 0, NAME_PAD);
    memcpy(other + len - 5, "\4_udp", 5);
    *sources = (struct sources){0};
    bool is_tcp = host_view_add_node(view_find(view, query->folded, len, query->hash), sources, 0);
    bool is_udp = host_view_add_node(
        view_find(view, other, len, name_hash(&view->seed, other, len)), sources, 1);
    if (!is_tcp && is_udp) { /* the first is the one that counts */
        sources->chains[0] = sources->chains[1];
        sources->chains[1] = NULL;
    }
    return is_tcp || is_udp;
}
