/* zones/rrsets.h - the one producer of records: which RRsets a name has, their TTLs, their data.
 *
 * Whoever shows records takes them from here, so that an answer, a transfer and a zone file cannot
 * differ. There are two doors:
 *
 * - struct rrset_iter produces any name's RRsets record by record, ready as wire data. It is for
 *   what shows a zone off the hot path: dump.h today. An IXFR difference (RFC 1995) is what it gives
 *   for a name before a commit less what it gives after; `explain` prints its RRsets and, from
 *   rrset_iter.source, the keys behind them; a signer sorts an RRset's data (RFC 4034 6.3) and
 *   signs it with the TTL that it says.
 * - The inline functions below are the parts that it is made of, one for each fact: a TTL, the
 *   octets of one kind of data, the order of instances (instance_iter.h). Answers call them one by
 *   one, since they compress names, rotate, stop at a limit, and copy straight into a message.
 *
 * Data is written in blocks: `out` has NAME_PAD octets to spare behind it. Names are in full and in
 * the registry's letters.
 *
 * Units: *_s is seconds. Threads: readers (zones/store/rcu.h), or the control thread between
 * commits. */
#ifndef ZONES_RRSETS_H
#define ZONES_RRSETS_H

#include "instance_iter.h"
#include "view.h"
#include "zones/name/rr.h"

/* -- TTLs: of an RRset, the least of what its records come from (RFC 2181 5.2) */

/* Of SRV and PTR sets: the least of what their instances have, at most --record-ttl. */
static inline uint32_t rrsets_srv_ttl(const struct instance_source *source, const struct view *view)
{
    return instance_source_ttl(source, view->record_ttl_s);
}

/* Of what one instance has for itself, its TXT and, where no other has its name, its SRV: that of its
 * lease, at most --record-ttl (zone.c, when its key is put). */
static inline uint32_t rrsets_instance_ttl(const struct instance *instance)
{
    return instance->key.ttl_s;
}

/* Of NXDOMAIN and NODATA, RFC 2308 5. */
static inline uint32_t rrsets_negative_ttl(const struct view *view)
{
    return view->negative_ttl_s < VIEW_SOA_TTL_S ? view->negative_ttl_s : VIEW_SOA_TTL_S;
}

static inline uint32_t rrsets_target_ttl(const struct target *target)
{
    return __atomic_load_n(&target->ttl_s, __ATOMIC_RELAXED);
}

#define RRSETS_TTL_VISITS_MAX 512 /* two names with all the keys that they may have */
#define RRSETS_TTL_CUT_S      1   /* of what was not looked through to its end */

/* Of a host view's addresses: an instance's TTL bounds them, and so does that of a host, which may
 * be shorter. Only small sets are looked through for it. */
static inline uint32_t rrsets_view_address_ttl(const struct instance_source *source,
                                               const struct view *view)
{
    struct instance_iter iter;
    const struct instance *instance;
    uint32_t min_ttl_s = instance_source_ttl(source, view->record_ttl_s);
    instance_iter_begin(&iter, source, 0, RRSETS_TTL_VISITS_MAX);
    while (iter.total <= MEMBER_VECTOR_CHUNK && (instance = instance_iter_next(&iter))) {
        uint32_t ttl_s = rrsets_target_ttl(instance->target);
        if (instance->target->node.kind == NODE_HOST && rcu_read(instance->target->addresses) &&
            ttl_s < min_ttl_s)
            min_ttl_s = ttl_s;
    }
    if (instance_iter_is_cut(&iter) && iter.total <= MEMBER_VECTOR_CHUNK)
        return RRSETS_TTL_CUT_S;
    return min_ttl_s;
}

/* -- SRV */

#define RRSETS_SRV_FIXED 6 /* octets before the target's name */

/* The target's name in two parts. */
struct rrsets_target {
    struct name_padded head, tail;
};

static inline struct rrsets_target rrsets_target(const struct view *view,
                                                 const struct instance *instance)
{
    const struct node *node = &instance->target->node;
    if (__builtin_expect(instance->host_len > 0, 0)) /* in this instance's own letters */
        return (struct rrsets_target){
            {instance_host(instance), instance->host_len},
            {view->host.octets, instance->host_is_whole ? 0 : view->host.len}};
    return (struct rrsets_target){node_padded(node), name_of(&view->wire)};
}

static inline size_t rrsets_srv_len(const struct rrsets_target *target)
{
    return RRSETS_SRV_FIXED + target->head.len + target->tail.len;
}

static inline void rrsets_put_srv(uint8_t *out, const struct instance *instance,
                                  const struct rrsets_target *target)
{
    rr_put16(out, instance->priority);
    rr_put16(out + 2, instance->weight);
    rr_put16(out + 4, instance->port);
    name_copy(out + RRSETS_SRV_FIXED, target->head);
    name_copy(out + RRSETS_SRV_FIXED + target->head.len, target->tail);
}

/* What tells the SRV records of a set apart, besides the target: 48 bits. */
static inline uint64_t rrsets_srv_key(const struct instance *instance)
{
    return (uint64_t)instance->port << 32 | (uint64_t)instance->priority << 16 | instance->weight;
}

/* -- A, AAAA */

struct rrsets_addresses {
    const uint8_t *octets;
    uint32_t count;
};

static inline size_t rrsets_address_len(uint16_t type)
{
    return type == TYPE_A ? 4 : 16;
}

static inline struct rrsets_addresses rrsets_addresses(const struct target *target, uint16_t type)
{
    struct rrsets_addresses found = {NULL, 0};
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

/* -- PTR: a label, or some, before a tail that all records of the set share */

/* The tail below the zone; *skip is where in the owner's name it begins. For a type itself; for a
 * subtype, `_printer._sub._http._tcp`, its type; for the list of types nothing, as their names lie
 * right below the zone. */
static inline struct name_padded rrsets_ptr_tail(const struct node *node, size_t *skip)
{
    const uint8_t *name = node_name(node);
    size_t at = 0;
    if (node->kind == NODE_SUBTYPE) {
        at = 1u + name[0];
        at += 1u + name[at];
    } else if (node->kind == NODE_LIST) {
        at = node->name_len;
    }
    *skip = at;
    return (struct name_padded){name + at, node->name_len - at};
}

/* -- TXT */

/* Of an instance. RFC 6763 6.1: nothing to say is one empty string. */
static inline struct name_padded rrsets_txt(const struct instance *instance)
{
    static const uint8_t empty[1 + NAME_PAD];
    if (instance->txt_len == 0)
        return (struct name_padded){empty, 1};
    return (struct name_padded){instance_txt(instance), instance->txt_len};
}

/* Of a type, for one of its instances: name=, location=, and the pairs but for type=. */
struct rrsets_type_txt {
    const uint8_t *name, *location, *before, *after;
    size_t name_len, location_len, before_len, after_len;
};

#define RRSETS_NAME_KEY     "name="
#define RRSETS_LOCATION_KEY "location="

static inline size_t rrsets_cut(size_t value_len, size_t key_len)
{
    return value_len + key_len > 255 ? 255 - key_len : value_len;
}

static inline struct rrsets_type_txt rrsets_type_txt(const struct instance *instance)
{
    struct rrsets_type_txt parts;
    parts.name = instance_registry_name(instance, &parts.name_len);
    parts.name_len = rrsets_cut(parts.name_len, strlen(RRSETS_NAME_KEY));
    parts.location = instance_location(instance);
    parts.location_len = rrsets_cut(instance->location_len, strlen(RRSETS_LOCATION_KEY));
    parts.before = instance_txt(instance);
    parts.before_len = instance->type_len ? instance->type_at : instance->txt_len;
    parts.after = parts.before + parts.before_len + instance->type_len;
    parts.after_len = (size_t)instance->txt_len - parts.before_len - instance->type_len;
    return parts;
}

static inline size_t rrsets_type_txt_len(const struct rrsets_type_txt *parts)
{
    return 1 + strlen(RRSETS_NAME_KEY) + parts->name_len + 1 + strlen(RRSETS_LOCATION_KEY) +
           parts->location_len + parts->before_len + parts->after_len;
}

static inline uint8_t *rrsets_put_pair(uint8_t *out, const char *key, size_t key_len,
                                       const uint8_t *value, size_t value_len)
{
    out[0] = (uint8_t)(key_len + value_len);
    memcpy(out + 1, key, key_len);
    memcpy(out + 1 + key_len, value, value_len);
    return out + 1 + key_len + value_len;
}

static inline void rrsets_put_type_txt(uint8_t *out, const struct rrsets_type_txt *parts)
{
    out = rrsets_put_pair(out, RRSETS_NAME_KEY, strlen(RRSETS_NAME_KEY), parts->name,
                          parts->name_len);
    out = rrsets_put_pair(out, RRSETS_LOCATION_KEY, strlen(RRSETS_LOCATION_KEY), parts->location,
                          parts->location_len);
    memcpy(out, parts->before, parts->before_len);
    memcpy(out + parts->before_len, parts->after, parts->after_len);
}

/* -- SOA */

static inline size_t rrsets_soa_len(const struct view *view)
{
    return (size_t)view->mname.len + view->rname.len + 20;
}

static inline void rrsets_put_soa(uint8_t *out, const struct view *view)
{
    name_copy(out, name_of(&view->mname));
    name_copy(out + view->mname.len, name_of(&view->rname));
    out += (size_t)view->mname.len + view->rname.len;
    rr_put32(out, rcu_read(view->serial));
    rr_put32(out + 4, VIEW_SOA_REFRESH_S);
    rr_put32(out + 8, VIEW_SOA_RETRY_S);
    rr_put32(out + 12, VIEW_SOA_EXPIRE_S);
    rr_put32(out + 16, view->negative_ttl_s);
}

/* -- what the configuration makes */

/* The next record of this type, from number *at on; NULL: no more. */
static inline const struct fixed_record *rrsets_next_fixed(const struct fixed *fixed, uint16_t type,
                                                           uint32_t *at)
{
    while (*at < fixed->count) {
        const struct fixed_record *record = &fixed->records[(*at)++];
        if (record->type == type)
            return record;
    }
    return NULL;
}

/* -- all of it, off the hot path */

/* A name in the zone: a node, or what a host view joins (host_view.h). */
struct rrsets_owner {
    const struct node *node;       /* NULL: a host view */
    struct instance_source source; /* of a host view */
};

#define RRSETS_DATA_MAX 8960 /* octets of what is written; longer data is in the zone already */

struct rrsets_row;

/* The RRsets of a name, one after the other, and the records of each. */
struct rrset_iter {
    /* The RRset, after rrset_iter_next(). */
    uint16_t type;
    uint32_t ttl_s;
    bool may_repeat; /* a record may come again: told apart by `key` */
    /* The record, after rrset_iter_next_record(): until the next one. */
    const uint8_t *rdata;
    size_t rdata_len;
    uint64_t key[2]; /* equal for equal records of one RRset, when they may repeat */
    /* Its own. */
    const struct view *view;
    const struct node *node;
    struct instance_source source; /* the instances that it comes from */
    const struct rrsets_row *row;  /* NULL before the first */
    uint8_t kind;
    struct instance_iter instances;
    struct rrsets_addresses addresses; /* what is left of an instance's, or the target's */
    uint32_t position;
    uint8_t data[RRSETS_DATA_MAX + NAME_PAD];
};

/* Of a name; `owner` is copied. */
void rrset_iter_begin(struct rrset_iter *iter, const struct view *view,
                      const struct rrsets_owner *owner);
/* Go on to the next RRset that the name may have: addresses before PTR before SRV before TXT.
 * False: there are no more. It may turn out to have no records. */
bool rrset_iter_next(struct rrset_iter *iter);
/* Go on to its next record. False: there are no more. */
bool rrset_iter_next_record(struct rrset_iter *iter);

#endif
