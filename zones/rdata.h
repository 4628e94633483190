/* zones/rdata.h - the data of records, made from what a zone stores.
 *
 * Whoever shows a zone, name by name or whole, shows the same octets. Names are written in full,
 * in the registry's letters.
 *
 * Threads: readers (rcu.h), or the control thread. */
#ifndef ZONES_RDATA_H
#define ZONES_RDATA_H

#include "view.h"
#include "zones/name/rr.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint8_t *rdata_put16(uint8_t *at, uint16_t value)
{
    uint16_t big = htons(value);
    memcpy(at, &big, sizeof(big));
    return at + sizeof(big);
}

static inline uint8_t *rdata_put32(uint8_t *at, uint32_t value)
{
    uint32_t big = htonl(value);
    memcpy(at, &big, sizeof(big));
    return at + sizeof(big);
}

/* What an instance's SRV record points at, in two pieces. */
struct rdata_target {
    const uint8_t *head, *tail;
    size_t head_len, tail_len; /* the tail of an absolute host has none */
};

static inline struct rdata_target rdata_target(const struct view *view,
                                               const struct instance *instance)
{
    const struct node *node = &instance->target->node;
    if (instance->host_is_whole)
        return (struct rdata_target){instance_host(instance), NULL, instance->host_len, 0};
    if (instance->host_len > 0)
        return (struct rdata_target){instance_host(instance), view->host, instance->host_len,
                                     view->host_len};
    return (struct rdata_target){node_name(node), view->wire, node->name_len, view->wire_len};
}

#define RDATA_SRV_FIXED 6 /* octets before the target */

/* At most RDATA_SRV_FIXED + NAME_MAX_LEN octets. */
static inline size_t rdata_srv(const struct view *view, const struct instance *instance,
                               uint8_t *out)
{
    struct rdata_target target = rdata_target(view, instance);
    uint8_t *at = rdata_put16(out, instance->priority);
    at = rdata_put16(at, instance->weight);
    at = rdata_put16(at, instance->port);
    memcpy(at, target.head, target.head_len);
    if (target.tail_len > 0)
        memcpy(at + target.head_len, target.tail, target.tail_len);
    return RDATA_SRV_FIXED + target.head_len + target.tail_len;
}

/* What tells the SRV records of a set apart, besides the target. */
static inline uint64_t rdata_srv_key(const struct instance *instance)
{
    return (uint64_t)instance->port << 32 | (uint64_t)instance->priority << 16 | instance->weight;
}

/* The addresses of a target, of one family: borrowed until a grace period. */
struct rdata_addresses {
    const uint8_t *octets;
    uint32_t count;
    uint32_t len; /* octets of one */
};

static inline struct rdata_addresses rdata_addresses(const struct target *target, uint16_t type)
{
    struct rdata_addresses found = {.len = type == TYPE_A ? 4 : 16};
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

#define RDATA_SOA_MAX (2 * NAME_MAX_LEN + 20)

/* At most RDATA_SOA_MAX octets. */
static inline size_t rdata_soa(const struct view *view, uint8_t *out)
{
    uint8_t *at = out;
    memcpy(at, view->mname, view->mname_len);
    at += view->mname_len;
    memcpy(at, view->rname, view->rname_len);
    at = rdata_put32(at + view->rname_len, rcu_read(view->serial));
    at = rdata_put32(at, VIEW_SOA_REFRESH_S);
    at = rdata_put32(at, VIEW_SOA_RETRY_S);
    at = rdata_put32(at, VIEW_SOA_EXPIRE_S);
    return (size_t)(rdata_put32(at, view->negative_ttl_s) - out);
}

/* TXT of a type, for one instance: name=, location=, and its pairs but for type=. At most
 * RDATA_MEMBER_TXT_MAX octets. */
#define RDATA_MEMBER_TXT_MAX 8960
size_t rdata_member_txt(const struct instance *instance, uint8_t *out);

#endif
