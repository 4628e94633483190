#include "records.h"

/* Large sets. A message has room for some thousand records, and a type may have a million instances,
 * of which strangers register any number. So an answer begins at another member with each query
 * (query.rotation), and clients share the load; and it looks at REPLY_VISITS_MAX instances at most: a
 * million at one address would else be a million look-ups for one A record. */

/* The owner, too: the additional section holds SRV records of several. */
static inline uint64_t records_srv_key(const struct instance *instance, uint16_t owner)
{
    return (uint64_t)owner << 48 | rrsets_srv_key(instance);
}

static inline __attribute__((always_inline)) bool records_put_srv(struct reply *reply,
                                                                  const struct instance *instance,
                                                                  uint16_t owner, uint32_t ttl_s)
{
    struct rrsets_target target = rrsets_target(reply->view, instance);
    uint8_t *at = reply_record(reply, owner, TYPE_SRV, ttl_s, rrsets_srv_len(&target));
    if (!at)
        return false;
    rrsets_put_srv(at, instance, &target);
    reply_remember(reply, instance->target, at + RRSETS_SRV_FIXED);
    return true;
}

static inline void records_begin(struct instance_iter *iter, const struct reply *reply,
                                 const struct instance_source *source)
{
    instance_iter_begin(iter, source, reply->query->rotation, REPLY_VISITS_MAX);
}

static inline void records_end(const struct instance_iter *iter, struct reply *reply)
{
    reply->is_partial = reply->is_partial || instance_iter_is_cut(iter);
    reply->looks += instance_iter_visited(iter);
}

bool records_srv(struct reply *reply, const struct instance_source *source, uint16_t owner)
{
    struct instance_iter iter;
    const struct instance *instance;
    bool is_any = false;
    uint32_t ttl_s = rrsets_srv_ttl(source, reply->view);
    records_begin(&iter, reply, source);
    while ((instance = instance_iter_next(&iter))) {
        is_any = true;
        if (!dedup_add(&reply->scratch->dedup, (uintptr_t)instance->target,
                       records_srv_key(instance, owner)))
            continue;
        if (!records_put_srv(reply, instance, owner, ttl_s))
            break;
    }
    records_end(&iter, reply);
    return is_any;
}

bool records_instance_srv(struct reply *reply, const struct instance *instance, uint16_t owner)
{
    if (instance_next(instance)) {
        struct instance_source chain = {.heads = {instance}};
        return records_srv(reply, &chain, owner);
    }
    (void)records_put_srv(reply, instance, owner, rrsets_instance_ttl(instance));
    return true;
}

/* Beginning at another each time, as clients mostly take the first. */
bool records_addresses(struct reply *reply, const struct target *target, uint16_t owner,
                       uint16_t type)
{
    struct rrsets_addresses list = rrsets_addresses(target, type);
    uint32_t ttl_s = rrsets_target_ttl(target);
    size_t len = rrsets_address_len(type);
    uint32_t start = list.count > 1 ? reply->query->rotation % list.count : 0;
    for (uint32_t i = 0; i < list.count; i++) {
        uint32_t position = start + i < list.count ? start + i : start + i - list.count;
        if (!records_address(reply, owner, type, ttl_s, list.octets + position * len))
            break;
    }
    return list.count > 0;
}

void records_host(struct reply *reply, const struct target *host, uint16_t owner)
{
    (void)records_addresses(reply, host, owner, TYPE_A);
    (void)records_addresses(reply, host, owner, TYPE_AAAA);
}

static bool records_is_new_address(struct reply *reply, const uint8_t *octets, uint16_t type)
{
    uint64_t pair[2] = {0, 0};
    memcpy(pair, octets, rrsets_address_len(type));
    return dedup_add(&reply->scratch->dedup, pair[0], pair[1]);
}

bool records_view_addresses(struct reply *reply, const struct instance_source *source,
                            uint16_t type)
{
    struct instance_iter iter;
    const struct instance *instance;
    bool is_any = false;
    size_t len = rrsets_address_len(type);
    uint32_t ttl_s = rrsets_view_address_ttl(source, reply->view);
    records_begin(&iter, reply, source);
    while (!reply->is_full && (instance = instance_iter_next(&iter))) {
        struct rrsets_addresses list = rrsets_addresses(instance->target, type);
        is_any = is_any || list.count > 0;
        for (uint32_t i = 0; i < list.count && !reply->is_full; i++)
            if (records_is_new_address(reply, list.octets + i * len, type))
                (void)records_address(reply, REPLY_QUESTION, type, ttl_s, list.octets + i * len);
    }
    records_end(&iter, reply);
    return is_any;
}

bool records_txt(struct reply *reply, const struct instance *instance, uint16_t owner)
{
    struct name_padded txt = rrsets_txt(instance);
    uint8_t *at = reply_record(reply, owner, TYPE_TXT, rrsets_instance_ttl(instance), txt.len);
    if (!at)
        return false;
    name_copy(at, txt);
    return true;
}

void records_target_far(struct reply *reply, const struct target *target, const uint8_t *labels,
                        size_t len, uint16_t tail)
{
    static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
    uint32_t ttl_s = rrsets_target_ttl(target);
    for (size_t i = 0; i < 2; i++) {
        struct rrsets_addresses list = rrsets_addresses(target, types[i]);
        size_t address_len = rrsets_address_len(types[i]);
        for (uint32_t j = 0; j < list.count; j++) {
            uint8_t *at = reply->at;
            reply->is_full = at + len > reply->limit;
            if (reply->is_full)
                return;
            memcpy(at, labels, len);
            reply->at += len;
            if (!records_address(reply, tail, types[i], ttl_s, list.octets + j * address_len))
                return;
        }
    }
}

/* What additional_put_chain() does in steps that may each fail, with one comparison: a browse
 * answer over TCP may have hundreds of these. */
bool records_instance(struct reply *reply, const struct instance *instance, uint16_t owner)
{
    const struct target *target = instance->target;
    struct rrsets_target srv_target = rrsets_target(reply->view, instance);
    struct name_padded txt = rrsets_txt(instance);
    size_t srv_len = rrsets_srv_len(&srv_target);
    bool is_v4 = target->family == 4;
    bool is_new = dedup_add(&reply->scratch->dedup, (uintptr_t)target, 0);
    size_t address_len = is_v4 ? 4 : 16;
    uint8_t *at = reply->at;
    size_t size = REPLY_HEAD + srv_len + REPLY_HEAD + txt.len;
    if (at + size + (is_new ? REPLY_HEAD + address_len : 0) > reply->limit)
        return false;
    uint32_t ttl_s = reply_ttl(reply, rrsets_instance_ttl(instance));
    uint8_t *srv = reply_head(at, owner, TYPE_SRV, ttl_s, srv_len);
    rrsets_put_srv(srv, instance, &srv_target);
    at = reply_head(srv + srv_len, owner, TYPE_TXT, ttl_s, txt.len);
    name_copy(at, txt);
    at += txt.len;
    if (is_new) {
        ttl_s = reply_ttl(reply, rrsets_target_ttl(target));
        at = reply_head(at, (uint16_t)(0xc000u | reply_offset(reply, srv + RRSETS_SRV_FIXED)),
                        is_v4 ? TYPE_A : TYPE_AAAA, ttl_s, address_len);
        /* Of a fixed length, which is one store: what it writes beyond an IPv4 address is
         * overwritten by the next record or lies in ANSWER_SLACK. */
        memcpy(at, target->address, NAME_PAD);
        at += address_len;
    }
    reply->at = at;
    reply->counts[reply->section] = (uint16_t)(reply->counts[reply->section] + 2 + is_new);
    return true;
}

static bool records_put_type_txt(struct reply *reply, const struct instance *instance,
                                 uint32_t ttl_s)
{
    struct rrsets_type_txt parts = rrsets_type_txt(instance);
    uint8_t *at = reply_record(reply, REPLY_QUESTION, TYPE_TXT, ttl_s, rrsets_type_txt_len(&parts));
    if (at)
        rrsets_put_type_txt(at, &parts);
    return at != NULL;
}

/* No records_end(): each member looked at is a record, and a message is full of those long before
 * REPLY_VISITS_MAX. */
bool records_type_txt(struct reply *reply, const struct member_version *members)
{
    struct instance_source source = {.sets = {members}};
    struct instance_iter iter;
    const struct instance *instance;
    bool is_any = false;
    uint32_t ttl_s = rrsets_srv_ttl(&source, reply->view);
    records_begin(&iter, reply, &source);
    while ((instance = instance_iter_next_name(&iter))) {
        is_any = true;
        if (!records_put_type_txt(reply, instance, ttl_s))
            break;
    }
    return is_any;
}

bool records_soa(struct reply *reply, uint16_t owner, uint32_t ttl_s)
{
    uint8_t *at = reply_record(reply, owner, TYPE_SOA, ttl_s, rrsets_soa_len(reply->view));
    if (at)
        rrsets_put_soa(at, reply->view);
    return at != NULL;
}

/* A record whose data is there already. False when it does not fit. */
static bool records_copy(struct reply *reply, uint16_t owner, uint16_t type, uint32_t ttl_s,
                         const uint8_t *rdata, size_t rdata_len)
{
    uint8_t *at = reply_record(reply, owner, type, ttl_s, rdata_len);
    if (at)
        memcpy(at, rdata, rdata_len);
    return at != NULL;
}

/* Not rotated: additional_ns() finds them in the order of view->ns. */
bool records_ns(struct reply *reply)
{
    const struct view_ns *ns = reply->view->ns, *end = ns + reply->view->ns_count;
    while (ns < end && records_copy(reply, REPLY_QUESTION, TYPE_NS, VIEW_STATIC_TTL_S,
                                    ns->wire.octets, ns->wire.len))
        ns++;
    return true;
}

bool records_fixed(struct reply *reply, const struct node *node, uint16_t owner, uint16_t type)
{
    const struct fixed *fixed = (const struct fixed *)node;
    const struct fixed_record *record;
    uint32_t position = 0;
    bool is_any = false;
    while ((record = rrsets_next_fixed(fixed, type, &position))) {
        is_any = true;
        if (!records_copy(reply, owner, type, VIEW_STATIC_TTL_S,
                          (const uint8_t *)fixed + record->rdata_at, record->rdata_len))
            break;
    }
    return is_any;
}

bool records_switch(struct reply *reply, const struct switch_node *node)
{
    (void)records_copy(reply, REPLY_QUESTION, TYPE_TXT, node->key.ttl_s, switch_node_txt(node),
                       node->txt_len);
    return true;
}
