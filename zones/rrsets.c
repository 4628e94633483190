#include "rrsets.h"

#include "registry/entry.h"

static_assert(RRSETS_DATA_MAX >= ENTRY_TXT_SIZE_MAX + 2 * 256, "any instance's TXT for its type");

/* A table instead of a switch for each kind of name: a row says that names of its kind may have an
 * RRset of its type, and which function gives the records of that one by one. rrset_iter_next()
 * steps from row to row of one kind and sets up what any of the functions may begin from: a
 * position, the instances, the addresses of a target. A record lies either in the zone, and is
 * pointed at (rrsets_is_stored()), or is put together in iter->data (rrsets_is_written()). */
struct rrsets_row {
    uint8_t kind;
    uint16_t type;
    bool (*next_record)(struct rrset_iter *iter);
};

#define NODE_HOST_VIEW UINT8_MAX /* no node: a host view */

static bool rrsets_is_stored(struct rrset_iter *iter, const uint8_t *rdata, size_t len)
{
    iter->rdata = rdata;
    iter->rdata_len = len;
    return true;
}

/* The record is `len` octets of iter->data. */
static bool rrsets_is_written(struct rrset_iter *iter, size_t len)
{
    return rrsets_is_stored(iter, iter->data, len);
}

static bool rrsets_next_soa(struct rrset_iter *iter)
{
    if (iter->position++ > 0)
        return false;
    rrsets_put_soa(iter->data, iter->view);
    return rrsets_is_written(iter, rrsets_soa_len(iter->view));
}

static bool rrsets_next_ns(struct rrset_iter *iter)
{
    if (iter->position == iter->view->ns_count)
        return false;
    const struct view_ns *ns = &iter->view->ns[iter->position++];
    return rrsets_is_stored(iter, ns->wire.octets, ns->wire.len);
}

static bool rrsets_next_fixed_row(struct rrset_iter *iter)
{
    const struct fixed *fixed = (const struct fixed *)iter->node;
    const struct fixed_record *record = rrsets_next_fixed(fixed, iter->type, &iter->position);
    return record &&
           rrsets_is_stored(iter, (const uint8_t *)fixed + record->rdata_at, record->rdata_len);
}

/* `head`, the tail that the set shares, and the zone. */
static bool rrsets_write_ptr(struct rrset_iter *iter, const uint8_t *head, size_t head_len)
{
    const struct view *view = iter->view;
    size_t skip;
    struct name_padded tail = rrsets_ptr_tail(iter->node, &skip);
    memcpy(iter->data, head, head_len);
    memcpy(iter->data + head_len, tail.octets, tail.len);
    memcpy(iter->data + head_len + tail.len, view->wire.octets, view->wire.len);
    return rrsets_is_written(iter, head_len + tail.len + view->wire.len);
}

static bool rrsets_next_type(struct rrset_iter *iter)
{
    const struct member_version *types = iter->source.sets[0];
    const struct service_type *type = NULL;
    while (!type && types && iter->position < types->count)
        type = member_vector_at(types, iter->position++);
    return type && rrsets_write_ptr(iter, node_name(&type->node), type->node.name_len);
}

static bool rrsets_next_ptr(struct rrset_iter *iter)
{
    const struct instance *instance = instance_iter_next_name(&iter->instances);
    return instance &&
           rrsets_write_ptr(iter, instance_label(instance), 1u + instance_label(instance)[0]);
}

/* The key is the target, not its name as it is written: two that give one host in other letters say
 * the same (RFC 4343), and an RRset has no record twice (RFC 2181 5). */
static bool rrsets_next_srv(struct rrset_iter *iter)
{
    const struct instance *instance = instance_iter_next(&iter->instances);
    if (!instance)
        return false;
    struct rrsets_target target = rrsets_target(iter->view, instance);
    rrsets_put_srv(iter->data, instance, &target);
    iter->key[0] = (uintptr_t)instance->target;
    iter->key[1] = rrsets_srv_key(instance);
    return rrsets_is_written(iter, rrsets_srv_len(&target));
}

static bool rrsets_next_type_txt(struct rrset_iter *iter)
{
    const struct instance *instance = instance_iter_next_name(&iter->instances);
    if (!instance)
        return false;
    struct rrsets_type_txt parts = rrsets_type_txt(instance);
    rrsets_put_type_txt(iter->data, &parts);
    return rrsets_is_written(iter, rrsets_type_txt_len(&parts));
}

/* Of several keys with one name the first alone: an instance has one TXT record (RFC 6763 6.8). */
static bool rrsets_next_txt(struct rrset_iter *iter)
{
    struct name_padded txt = rrsets_txt(iter->source.heads[0]);
    return iter->position++ == 0 && rrsets_is_stored(iter, txt.octets, txt.len);
}

static bool rrsets_next_switch(struct rrset_iter *iter)
{
    const struct switch_node *node = (const struct switch_node *)iter->node;
    return iter->position++ == 0 && rrsets_is_stored(iter, switch_node_txt(node), node->txt_len);
}

static bool rrsets_next_address(struct rrset_iter *iter)
{
    size_t len = rrsets_address_len(iter->type);
    if (iter->addresses.count == 0)
        return false;
    const uint8_t *octets = iter->addresses.octets;
    iter->addresses.octets += len;
    iter->addresses.count--;
    iter->key[0] = iter->key[1] = 0;
    memcpy(iter->key, octets, len);
    return rrsets_is_stored(iter, octets, len);
}

static bool rrsets_next_view_address(struct rrset_iter *iter)
{
    while (iter->addresses.count == 0) {
        const struct instance *instance = instance_iter_next(&iter->instances);
        if (!instance)
            return false;
        iter->addresses = rrsets_addresses(instance->target, iter->type);
    }
    return rrsets_next_address(iter);
}

/* The rows of a kind are in the order in which its RRsets are shown. */
static const struct rrsets_row rows[] = {
    {NODE_APEX, TYPE_SOA, rrsets_next_soa},
    {NODE_APEX, TYPE_NS, rrsets_next_ns},
    {NODE_FIXED, TYPE_A, rrsets_next_fixed_row},
    {NODE_FIXED, TYPE_AAAA, rrsets_next_fixed_row},
    {NODE_FIXED, TYPE_PTR, rrsets_next_fixed_row},
    {NODE_LIST, TYPE_PTR, rrsets_next_type},
    {NODE_TYPE, TYPE_PTR, rrsets_next_ptr},
    {NODE_TYPE, TYPE_SRV, rrsets_next_srv},
    {NODE_TYPE, TYPE_TXT, rrsets_next_type_txt},
    {NODE_SUBTYPE, TYPE_PTR, rrsets_next_ptr},
    {NODE_INSTANCE, TYPE_SRV, rrsets_next_srv},
    {NODE_INSTANCE, TYPE_TXT, rrsets_next_txt},
    {NODE_ADDRESS, TYPE_A, rrsets_next_address},
    {NODE_ADDRESS, TYPE_AAAA, rrsets_next_address},
    {NODE_HOST, TYPE_A, rrsets_next_address},
    {NODE_HOST, TYPE_AAAA, rrsets_next_address},
    {NODE_SWITCH, TYPE_TXT, rrsets_next_switch},
    {NODE_HOST_VIEW, TYPE_A, rrsets_next_view_address},
    {NODE_HOST_VIEW, TYPE_AAAA, rrsets_next_view_address},
    {NODE_HOST_VIEW, TYPE_SRV, rrsets_next_srv},
    {.next_record = NULL},
};

/* By the functions that answers call for theirs, so that a copy of the zone gives the TTL that a
 * question would. */
static uint32_t rrsets_ttl_of(const struct rrset_iter *iter)
{
    switch (iter->row->kind) {
    case NODE_APEX:
        return iter->type == TYPE_SOA ? VIEW_SOA_TTL_S : VIEW_STATIC_TTL_S;
    case NODE_FIXED:
        return VIEW_STATIC_TTL_S;
    case NODE_ADDRESS:
    case NODE_HOST:
        return rrsets_target_ttl((const struct target *)iter->node);
    case NODE_SWITCH:
        return ((const struct switch_node *)iter->node)->key.ttl_s;
    case NODE_INSTANCE:
        if (iter->type == TYPE_TXT) /* only the first of a name has one */
            return rrsets_instance_ttl(iter->source.heads[0]);
        break;
    case NODE_HOST_VIEW:
        if (iter->type != TYPE_SRV)
            return rrsets_view_address_ttl(&iter->source, iter->view);
        break;
    default:
        break;
    }
    return rrsets_srv_ttl(&iter->source, iter->view);
}

void rrset_iter_begin(struct rrset_iter *iter, const struct view *view,
                      const struct rrsets_owner *owner)
{
    const struct node *node = owner->node;
    enum node_kind kind = node ? node_kind(node) : (enum node_kind)NODE_HOST_VIEW;
    iter->view = view;
    iter->node = node;
    iter->source = owner->source;
    if (kind == NODE_INSTANCE)
        iter->source = (struct instance_source){.heads = {(const struct instance *)node}};
    else if (kind == NODE_LIST || kind == NODE_TYPE || kind == NODE_SUBTYPE)
        iter->source = (struct instance_source){
            .sets = {rcu_read(((const struct service_type *)node)->members.published)}};
    iter->kind = (uint8_t)kind;
    iter->row = NULL;
}

bool rrset_iter_next(struct rrset_iter *iter)
{
    const struct rrsets_row *row = iter->row ? iter->row + 1 : rows;
    while (row->next_record && row->kind != iter->kind)
        row++;
    if (!row->next_record)
        return false;
    iter->row = row;
    iter->type = iter->row->type;
    iter->ttl_s = rrsets_ttl_of(iter);
    iter->position = 0;
    iter->addresses = (struct rrsets_addresses){NULL, 0};
    if (iter->row->next_record == rrsets_next_address)
        iter->addresses = rrsets_addresses((const struct target *)iter->node, iter->type);
    instance_iter_begin(&iter->instances, &iter->source, 0, INSTANCE_ITER_ALL);
    /* Two instances may have the same target and port, or address; the data of all else has a name in it
     * that is one instance's, or stands once. */
    const struct instance *head = iter->source.heads[0];
    bool is_one = head && !iter->source.heads[1] && !instance_next(head);
    bool is_joined = iter->row->next_record == rrsets_next_srv ||
                     iter->row->next_record == rrsets_next_view_address;
    iter->may_repeat = is_joined && !is_one;
    return true;
}

bool rrset_iter_next_record(struct rrset_iter *iter)
{
    return iter->row->next_record(iter);
}
