#include "records.h"

/* The owner, too: the additional section holds SRV records of several. */
static inline uint64_t records_srv_key(const struct instance *instance, uint16_t owner)
{
    return (uint64_t)owner << 48 | (uint64_t)instance->port << 32 |
           (uint64_t)instance->priority << 16 | instance->weight;
}

/* The target's name in two parts. */
struct srv_name {
    const uint8_t *head, *tail;
    size_t head_len, tail_len;
};

static inline struct srv_name records_srv_name(const struct view *view,
                                               const struct instance *instance)
{
    const struct node *node = &instance->target->node;
    if (__builtin_expect(instance->host_len > 0, 0)) /* in its own letters */
        return (struct srv_name){instance_host(instance), view->host, instance->host_len,
                                 instance->host_is_whole ? 0 : view->host_len};
    return (struct srv_name){node_name(node), view->wire, node->name_len, view->wire_len};
}

#define SRV_FIXED 6

static inline void records_write_srv(uint8_t *at, const struct instance *instance,
                                     struct srv_name name)
{
    reply_put16(at, instance->priority);
    reply_put16(at + 2, instance->weight);
    reply_put16(at + 4, instance->port);
    reply_copy(at + SRV_FIXED, name.head, name.head_len);
    reply_copy(at + SRV_FIXED + name.head_len, name.tail, name.tail_len);
}

static inline __attribute__((always_inline)) bool records_put_srv(struct reply *reply,
                                                                  const struct instance *instance,
                                                                  uint16_t owner, uint32_t ttl_s)
{
    struct srv_name name = records_srv_name(reply->view, instance);
    uint8_t *at =
        reply_record(reply, owner, TYPE_SRV, ttl_s, SRV_FIXED + name.head_len + name.tail_len);
    if (!at)
        return false;
    records_write_srv(at, instance, name);
    reply_remember(reply, instance->target, at + SRV_FIXED);
    return true;
}

bool records_srv(struct reply *reply, const struct sources *sources, uint16_t owner)
{
    struct sources_walk walk;
    const struct instance *instance;
    bool is_any = false;
    uint32_t ttl_s = sources_ttl(sources, reply->view->record_ttl_s);
    sources_begin(&walk, sources, reply->query->rotation);
    while ((instance = sources_next(&walk))) {
        is_any = true;
        if (!dedup_add(&reply->scratch->dedup, (uintptr_t)instance->target,
                       records_srv_key(instance, owner)))
            continue;
        if (!records_put_srv(reply, instance, owner, ttl_s))
            break;
    }
    reply->is_partial = reply->is_partial || sources_is_cut(&walk);
    reply->looks += sources_looks(&walk);
    return is_any;
}

bool records_instance_srv(struct reply *reply, const struct instance *instance, uint16_t owner)
{
    if (rcu_read(instance->next)) {
        struct sources chain = {.chains = {instance}};
        return records_srv(reply, &chain, owner);
    }
    (void)records_put_srv(reply, instance, owner, instance->record.ttl_s);
    return true;
}

struct addresses {
    const uint8_t *octets;
    uint32_t count;
};

static inline struct addresses records_addresses_of(const struct target *target, uint16_t type)
{
    struct addresses found = {NULL, 0};
    if (target->node.kind == NODE_ADDRESS) {
        found.octets = target->address;
        found.count = target->family == (type == TYPE_A ? 4 : 6);
        return found;
    }
    const struct node_addresses *all = rcu_read(target->addresses);
    if (!all)
        return found;
    found.octets = all->octets + (type == TYPE_A ? 0 : 4u * all->v4_count);
    found.count = type == TYPE_A ? all->v4_count : all->v6_count;
    return found;
}

bool records_addresses(struct reply *reply, const struct target *target, uint16_t owner,
                       uint16_t type)
{
    struct addresses list = records_addresses_of(target, type);
    uint32_t ttl_s = __atomic_load_n(&target->ttl_s, __ATOMIC_RELAXED);
    size_t len = type == TYPE_A ? 4 : 16;
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
    memcpy(pair, octets, type == TYPE_A ? 4 : 16);
    return dedup_add(&reply->scratch->dedup, pair[0], type == TYPE_A ? UINT64_MAX : pair[1]);
}

/* The TTL of the view's addresses: the least of all of theirs that are looked at. */
static uint32_t records_view_ttl(const struct sources *sources, const struct view *view)
{
    struct sources_walk walk;
    const struct instance *instance;
    uint32_t least = sources_ttl(sources, view->record_ttl_s);
    sources_begin(&walk, sources, 0);
    while (walk.total <= MEMBERS_CHUNK && (instance = sources_next(&walk))) {
        uint32_t ttl_s = __atomic_load_n(&instance->target->ttl_s, __ATOMIC_RELAXED);
        if (instance->target->node.kind == NODE_HOST && rcu_read(instance->target->addresses) &&
            ttl_s < least)
            least = ttl_s;
    }
    return least;
}

bool records_view_addresses(struct reply *reply, const struct sources *sources, uint16_t type)
{
    struct sources_walk walk;
    const struct instance *instance;
    bool is_any = false;
    size_t len = type == TYPE_A ? 4 : 16;
    uint32_t ttl_s = records_view_ttl(sources, reply->view);
    sources_begin(&walk, sources, reply->query->rotation);
    while (!reply->is_full && (instance = sources_next(&walk))) {
        struct addresses list = records_addresses_of(instance->target, type);
        is_any = is_any || list.count > 0;
        for (uint32_t i = 0; i < list.count && !reply->is_full; i++)
            if (records_is_new_address(reply, list.octets + i * len, type))
                (void)records_address(reply, REPLY_QUESTION, type, ttl_s, list.octets + i * len);
    }
    reply->is_partial = reply->is_partial || sources_is_cut(&walk);
    reply->looks += sources_looks(&walk);
    return is_any;
}

/* RFC 6763 6.1: nothing to say is one empty string. */
static inline size_t records_txt_size(const struct instance *instance)
{
    return instance->txt_len > 0 ? instance->txt_len : 1;
}

static inline void records_write_txt(uint8_t *at, const struct instance *instance)
{
    static const uint8_t empty[NAME_PAD];
    reply_copy(at, instance->txt_len > 0 ? instance_txt(instance) : empty, instance->txt_len);
}

bool records_txt(struct reply *reply, const struct instance *instance, uint16_t owner)
{
    uint8_t *at =
        reply_record(reply, owner, TYPE_TXT, instance->record.ttl_s, records_txt_size(instance));
    if (!at)
        return false;
    records_write_txt(at, instance);
    return true;
}

void records_target_far(struct reply *reply, const struct target *target, const uint8_t *labels,
                        size_t len, uint16_t tail)
{
    static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
    uint32_t ttl_s = __atomic_load_n(&target->ttl_s, __ATOMIC_RELAXED);
    for (size_t i = 0; i < 2; i++) {
        struct addresses list = records_addresses_of(target, types[i]);
        size_t address_len = types[i] == TYPE_A ? 4 : 16;
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

bool records_instance(struct reply *reply, const struct instance *instance, uint16_t owner)
{
    const struct target *target = instance->target;
    struct srv_name name = records_srv_name(reply->view, instance);
    size_t srv_len = SRV_FIXED + name.head_len + name.tail_len,
           txt_len = records_txt_size(instance);
    bool is_v4 = target->family == 4;
    bool is_new = dedup_add(&reply->scratch->dedup, (uintptr_t)target, 0);
    size_t address_len = is_v4 ? 4 : 16;
    uint8_t *at = reply->at;
    size_t size = REPLY_HEAD + srv_len + REPLY_HEAD + txt_len;
    if (at + size + (is_new ? REPLY_HEAD + address_len : 0) > reply->limit)
        return false;
    uint32_t ttl_s = reply_ttl(reply, instance->record.ttl_s);
    uint8_t *srv = reply_head(at, owner, TYPE_SRV, ttl_s, srv_len);
    records_write_srv(srv, instance, name);
    at = reply_head(srv + srv_len, owner, TYPE_TXT, ttl_s, txt_len);
    records_write_txt(at, instance);
    at += txt_len;
    if (is_new) {
        ttl_s = reply_ttl(reply, __atomic_load_n(&target->ttl_s, __ATOMIC_RELAXED));
        at = reply_head(at, (uint16_t)(0xc000u | reply_offset(reply, srv + SRV_FIXED)),
                        is_v4 ? TYPE_A : TYPE_AAAA, ttl_s, address_len);
        memcpy(at, target->address, NAME_PAD);
        at += address_len;
    }
    reply->at = at;
    reply->counts[reply->section] = (uint16_t)(reply->counts[reply->section] + 2 + is_new);
    return true;
}

/* "<key>=<value>", cut at 255 octets. */
static size_t records_put_pair(uint8_t *at, const char *key, size_t key_len, const uint8_t *value,
                               size_t value_len)
{
    if (key_len + value_len > 255)
        value_len = 255 - key_len;
    at[0] = (uint8_t)(key_len + value_len);
    memcpy(at + 1, key, key_len);
    memcpy(at + 1 + key_len, value, value_len);
    return 1 + key_len + value_len;
}

static bool records_put_type_txt(struct reply *reply, const struct instance *instance,
                                 uint32_t ttl_s)
{
    uint8_t names[512];
    size_t name_len;
    const uint8_t *name = instance_registry_name(instance, &name_len);
    size_t len = records_put_pair(names, "name=", 5, name, name_len);
    len += records_put_pair(names + len, "location=", 9, instance_location(instance),
                            instance->location_len);
    const uint8_t *txt = instance_txt(instance);
    size_t before = instance->type_len ? instance->type_at : instance->txt_len;
    size_t after = (size_t)instance->txt_len - before - instance->type_len;
    uint8_t *at = reply_record(reply, REPLY_QUESTION, TYPE_TXT, ttl_s, len + before + after);
    if (!at)
        return false;
    memcpy(at, names, len);
    memcpy(at + len, txt, before);
    memcpy(at + len + before, txt + before + instance->type_len, after);
    return true;
}

bool records_type_txt(struct reply *reply, const struct members *members)
{
    struct sources sources = {.sets = {members}};
    struct sources_walk walk;
    const struct instance *instance;
    bool is_any = false;
    uint32_t ttl_s = sources_ttl(&sources, reply->view->record_ttl_s);
    sources_begin(&walk, &sources, reply->query->rotation);
    while ((instance = sources_member(&walk))) {
        is_any = true;
        if (!records_put_type_txt(reply, instance, ttl_s))
            break;
    }
    return is_any;
}

bool records_soa(struct reply *reply, uint16_t owner, uint32_t ttl_s)
{
    const struct view *view = reply->view;
    size_t names = (size_t)view->mname_len + view->rname_len;
    uint8_t *at = reply_record(reply, owner, TYPE_SOA, ttl_s, names + 20);
    if (!at)
        return false;
    reply_copy(at, view->mname, view->mname_len);
    reply_copy(at + view->mname_len, view->rname, view->rname_len);
    at += names;
    reply_put32(at, rcu_read(view->serial));
    reply_put32(at + 4, VIEW_SOA_REFRESH_S);
    reply_put32(at + 8, VIEW_SOA_RETRY_S);
    reply_put32(at + 12, VIEW_SOA_EXPIRE_S);
    reply_put32(at + 16, view->negative_ttl_s);
    return true;
}

bool records_ns(struct reply *reply)
{
    const struct view *view = reply->view;
    for (unsigned i = 0; i < view->ns_count; i++) {
        const struct view_ns *ns = &view->ns[i];
        uint8_t *at = reply_record(reply, REPLY_QUESTION, TYPE_NS, VIEW_STATIC_TTL_S, ns->wire_len);
        if (!at)
            break;
        memcpy(at, ns->wire, ns->wire_len);
    }
    return true;
}

bool records_fixed(struct reply *reply, const struct node *node, uint16_t owner, uint16_t type)
{
    const struct fixed *fixed = (const struct fixed *)node;
    bool is_any = false;
    for (unsigned i = 0; i < fixed->count; i++) {
        const struct fixed_record *record = &fixed->records[i];
        if (record->type != type)
            continue;
        is_any = true;
        uint8_t *at = reply_record(reply, owner, type, VIEW_STATIC_TTL_S, record->rdata_len);
        if (!at)
            break;
        memcpy(at, (const uint8_t *)fixed + record->rdata_at, record->rdata_len);
    }
    return is_any;
}

bool records_switch(struct reply *reply, const struct switch_ *switch_)
{
    uint8_t *at =
        reply_record(reply, REPLY_QUESTION, TYPE_TXT, switch_->record.ttl_s, switch_->txt_len);
    if (at)
        memcpy(at, switch_txt(switch_), switch_->txt_len);
    return true;
}
