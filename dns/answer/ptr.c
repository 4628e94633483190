#include "ptr.h"

/* PTR data is a label, or some, and the rest of a name that all of a set's members share: a pointer
 * to where it stands, or, once, the rest itself. */
struct shared_tail {
    struct name_padded name; /* relative to the zone; nothing: the zone's name alone */
    uint16_t at;             /* 0 = it does not stand in the message in its own letters */
};

static struct shared_tail ptr_shared_tail(const struct reply *reply, const struct node *node)
{
    size_t skip;
    struct shared_tail tail = {rrsets_ptr_tail(node, &skip), 0};
    const struct query *query = reply->query;
    const struct view *view = reply->view;
    const uint8_t *asked = query->bytes + QUERY_HEADER + skip;
    /* A pointer into the question would show a name in the client's letters, so these must be ours
     * (RFC 4343 4.1). */
    if (query->zone_at != 0 && memcmp(asked, tail.name.octets, tail.name.len) == 0 &&
        memcmp(query->bytes + query->zone_at, view->wire.octets, view->wire.len) == 0)
        tail.at = (uint16_t)(QUERY_HEADER + skip);
    return tail;
}

/* The name of a record's data: `head` and the shared tail. Returns where the data begins, NULL when
 * it is full. */
static inline uint8_t *ptr_put_ptr(struct reply *reply, uint32_t ttl_s, struct name_padded head,
                                   struct shared_tail *tail)
{
    const struct view *view = reply->view;
    size_t tail_len = tail->at ? 2 : tail->name.len + view->wire.len;
    uint8_t *data = reply_record(reply, REPLY_QUESTION, TYPE_PTR, ttl_s, head.len + tail_len);
    if (!data)
        return NULL;
    uint8_t *at = data + head.len;
    name_copy(data, head);
    if (tail->at) {
        rr_put16(at, 0xc000u | tail->at);
        return data;
    }
    memcpy(at, tail->name.octets, tail->name.len);
    memcpy(at + tail->name.len, view->wire.octets, view->wire.len);
    if (at - reply->start <= REPLY_POINTER_MAX)
        tail->at = reply_offset(reply, at);
    return data;
}

/* No type is remembered: RFC 6763 12 knows nothing additional to a list of types. */
static bool ptr_to_types(struct reply *reply, const struct member_version *members,
                         struct shared_tail *tail)
{
    struct instance_source source = {.sets = {members}};
    uint32_t start = members->count > 1 ? reply->query->rotation % members->count : 0;
    uint32_t ttl_s = rrsets_srv_ttl(&source, reply->view);
    bool is_any = false;
    for (uint32_t i = 0; i < members->count && !reply->is_full; i++) {
        uint32_t position = (start + i) % members->count;
        const struct service_type *type = member_vector_at(members, position);
        if (!type)
            continue;
        is_any = true;
        (void)ptr_put_ptr(reply, ttl_s, node_padded(&type->node), tail);
    }
    return is_any;
}

bool ptr_put(struct reply *reply, const struct node *node, const struct member_version *members)
{
    struct shared_tail tail = ptr_shared_tail(reply, node);
    if (!members)
        return false;
    if (node->kind == NODE_LIST)
        return ptr_to_types(reply, members, &tail);
    struct instance_source source = {.sets = {members}};
    struct instance_iter iter;
    const struct instance *instance;
    bool is_any = false;
    uint32_t ttl_s = rrsets_srv_ttl(&source, reply->view);
    instance_iter_begin(&iter, &source, reply->query->rotation, REPLY_VISITS_MAX);
    while ((instance = instance_iter_next_name(&iter))) {
        const uint8_t *label = instance_label(instance);
        const uint8_t *data =
            ptr_put_ptr(reply, ttl_s, (struct name_padded){label, 1u + label[0]}, &tail);
        is_any = true;
        if (!data)
            break;
        reply_remember(reply, instance, data);
    }
    return is_any;
}
