#include "host_view.h"

#define SERVICE_LEN  8 /* octets of "service" as a label */
#define PROTOCOL_LEN 5

size_t host_view_to_key(uint8_t *name, size_t len, const uint8_t *labels, unsigned label_count)
{
    size_t type_at = labels[label_count - 2], type_len = name[type_at];
    /* "service" gives way to "_tcp", so there is room for the '_' that the type's label gets, unless it
     * is as long as a label may be. */
    if (label_count > 3 || type_len == NAME_LABEL_MAX ||
        (label_count == 3 && !name_is_host_label(name)))
        return 0;
    memmove(name + type_at + 2, name + type_at + 1, type_len);
    name[type_at] = (uint8_t)(type_len + 1);
    name[type_at + 1] = '_';
    memcpy(name + type_at + 2 + type_len, "\4_tcp", PROTOCOL_LEN);
    return len - SERVICE_LEN + 1 + PROTOCOL_LEN;
}

/* Another kind of node may have the name: "dns-sd.service" leads to _dns-sd._udp, an empty
 * non-terminal, and is no view. */
static bool host_view_add_node(const struct node *node, struct instance_source *out, unsigned i)
{
    if (node && node_kind(node) == NODE_TYPE)
        out->sets[i] = rcu_read(((const struct service_type *)node)->members.published);
    else if (node && node_kind(node) == NODE_INSTANCE)
        out->heads[i] = (const struct instance *)node;
    else
        return false;
    return true;
}

/* Nothing is stored for a view, so that no change of a type has to keep one true; the price is a
 * second look-up, for _udp, with each question. */
bool host_view_find(const struct view *view, struct name_padded key, uint64_t hash,
                    struct instance_source *out)
{
    uint8_t octets[NAME_MAX_LEN + NAME_PAD];
    struct name_padded other = {octets, key.len};
    memcpy(octets, key.octets, key.len);
    memset(octets + key.len, 0, NAME_PAD);
    memcpy(octets + key.len - PROTOCOL_LEN, "\4_udp", PROTOCOL_LEN);
    *out = (struct instance_source){0};
    bool is_tcp = host_view_add_node(view_find(view, key, hash), out, 0);
    bool is_udp = host_view_add_node(view_find(view, other, name_hash(&view->seed, other)), out, 1);
    return is_tcp || is_udp;
}

size_t host_view_name(const struct view *view, const struct node *node, uint8_t out[NAME_MAX_LEN])
{
    const uint8_t *name = node_name(node);
    size_t label_len = node->kind == NODE_INSTANCE ? 1u + name[0] : 0;
    const uint8_t *type = name + label_len;
    size_t len = label_len + type[0] + SERVICE_LEN;
    if ((label_len > 0 && !name_is_host_label(name)) || len + view->wire.len > NAME_MAX_LEN)
        return 0;
    memcpy(out, name, label_len);
    out[label_len] = (uint8_t)(type[0] - 1);
    memcpy(out + label_len + 1, type + 2, type[0] - 1u);
    memcpy(out + len - SERVICE_LEN, HOST_VIEW_LABEL, SERVICE_LEN);
    return len;
}

bool host_view_of(const struct view *view, const struct node *node, struct instance_source *out)
{
    uint8_t octets[NAME_MAX_LEN + NAME_PAD] = {0};
    struct name_padded key = {octets, node->name_len};
    name_fold_exact(octets, node_name(node), key.len);
    uint8_t *protocol = octets + key.len - PROTOCOL_LEN;
    bool is_udp = memcmp(protocol, "\4_udp", PROTOCOL_LEN) == 0;
    memcpy(protocol, "\4_tcp", PROTOCOL_LEN);
    (void)host_view_find(view, key, name_hash(&view->seed, key), out);
    return !is_udp || (!out->sets[0] && !out->heads[0]);
}
