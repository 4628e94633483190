/* zones/node.h - what a name in the zone is: the structures that readers walk.
 *
 * Every owner in the look-up table is a struct node, the first member of one of the structures
 * below, told apart by its kind. An *instance* is stored once, in one block: its name, its SRV and
 * TXT data, and a reference to the target that its SRV record points at. A *set* (a service type, a
 * subtype, the list of types) holds pointers to its members. Everything else that can be asked -
 * the type's PTR, SRV, TXT, the host view, additional records - is a view, copied from the
 * instances while answering.
 *
 * Fields above the line "the writer's" are immutable once published, or are single words loaded
 * with rcu_read(); those below belong to the control thread. All names are relative to the zone and
 * padded (name.h).
 *
 * Threads: readers under zones/store/rcu.h. */
#ifndef ZONES_NODE_H
#define ZONES_NODE_H

#include "zones/name/name.h"
#include "zones/store/member_vector.h"
#include "zones/store/ttl_counts.h"

#include <assert.h>

enum node_kind {
    NODE_EMPTY,    /* an empty non-terminal */
    NODE_APEX,     /* the zone's own name */
    NODE_FIXED,    /* ready-made records from the configuration: name servers, browsing domains */
    NODE_LIST,     /* _services._dns-sd._udp: a set of types */
    NODE_TYPE,     /* _http._tcp: a set of instances */
    NODE_SUBTYPE,  /* _printer._sub._http._tcp: a set of instances */
    NODE_INSTANCE, /* Office._http._tcp */
    NODE_ADDRESS,  /* 10-1-2-3.addr */
    NODE_HOST,     /* baz.host, or elsewhere and then not in the table */
    NODE_SWITCH,   /* a switch */
    NODE_SKIPPED   /* a key that cannot be served: in the table of keys only */
};

struct node {
    uint8_t kind;
    uint8_t name_len;
    uint16_t name_at;  /* octets from the node to its name */
    uint32_t children; /* the writer's: names right below */
};

static inline const uint8_t *node_name(const struct node *node)
{
    return (const uint8_t *)node + node->name_at;
}

static inline struct name_padded node_padded(const struct node *node)
{
    return (struct name_padded){node_name(node), node->name_len};
}

/* The addresses of a host; both families. */
struct node_addresses {
    uint16_t v4_count, v6_count;
    uint8_t octets[]; /* the IPv4 addresses, then the IPv6 addresses */
};

/* What SRV records point at. */
struct target {
    struct node node; /* its kind; its name below the zone, for NODE_HOST elsewhere without the host
                         domain */
    uint8_t family;   /* of NODE_ADDRESS: 4 or 6; 0 for a host */
    bool is_elsewhere; /* outside the zone: not in the look-up table */
    bool is_fixed;     /* the writer's: its addresses come from the configuration */
    bool is_queued;    /* the writer's: to be looked at in the next commit */
    uint32_t ttl_s;    /* of its address records */
    union {
        uint8_t address[16];              /* NODE_ADDRESS */
        struct node_addresses *addresses; /* NODE_HOST; NULL = none known */
    };
    /* The writer's. */
    uint32_t users; /* instances that point here; 1 for ever when it is fixed */
    uint32_t resolved_ttl_s;
    struct ttl_counts ttls;
};

/* What every key has, so that keys can be looked up by themselves. */
struct key_node {
    struct node node;
    uint64_t content;      /* the writer's: a hash of value, lease and revision (zone.c) */
    uint32_t ttl_s;        /* the least of the record TTL and the lease's */
    uint16_t key_len;      /* the writer's: of the stored key, 0 = derived from the name */
    uint8_t skip;          /* the writer's: enum skip */
    uint8_t mark;          /* the writer's: of the last load that it was seen in */
    struct key_node *next; /* another key with the same name, in order (same_name.h) */
};

/* How the octets of an instance that follow its name are cut: TXT data, location, host, key. */
struct instance {
    struct key_node key;
    const struct target *target;
    uint16_t priority, weight, port;
    uint16_t txt_len;  /* of the pairs, type= among them; 0 = none: one empty string */
    uint16_t type_at;  /* where type= stands among the pairs */
    uint16_t type_len; /* its octets with the length octet; 0 = there is none */
    uint16_t location_len;
    uint8_t host_len;          /* of the target's name, in wire form, for a host */
    uint8_t name_is_label : 1; /* the registry's name is the label */
    uint8_t host_is_whole : 1; /* the host is absolute: nothing follows */
    /* The writer's. */
    uint8_t
        is_dying;    /* to be taken from the table of names; no bit beside those that readers see */
    uint8_t is_gone; /* replaced while dying */
    uint16_t ignored; /* members of the value ignored, fewer than half its octets */
    uint32_t
        position; /* in the type's members, if it is the first of its name; MEMBER_VECTOR_NONE */
    struct service_type *type;
    struct instance_subtypes *subtypes; /* its own, NULL without any */
};

/* The type, a subtype, or the list of types. */
struct service_type {
    struct node node;
    struct member_vector members; /* readers use .published */
    /* The writer's. */
    struct ttl_counts ttls;
    struct service_type *parent; /* of a type the list of types; of a subtype its type */
    struct service_type *next_dirty;
    uint32_t users;        /* instances that name it */
    uint32_t position;     /* in the parent's members; MEMBER_VECTOR_NONE */
    uint32_t listed_ttl_s; /* counted among the parent's; UINT32_MAX: none yet */
    bool is_dirty, is_queued, is_large, has_warned;
};

struct switch_node {
    struct key_node key; /* only the first of a name is shown */
    uint16_t txt_len;
};

/* A ready-made record. */
struct fixed_record {
    uint16_t type;
    uint16_t rdata_len;
    uint16_t rdata_at; /* octets from the node */
};

struct fixed {
    struct node node;
    uint16_t count;
    struct fixed_record records[];
};

static_assert(sizeof(struct node) == 8, "every owner begins with a node");
static_assert(sizeof(struct key_node) == 32, "a word more for a million keys is 8 MB");
static_assert(sizeof(struct instance) == 80, "an instance's fixed part");
static_assert(sizeof(struct target) == 48,
              "a target's fixed part: with its name mostly a cache line");

/* The parts of an instance. */
static inline const uint8_t *instance_label(const struct instance *instance)
{
    return node_name(&instance->key.node); /* length octet first */
}
static inline const uint8_t *instance_txt(const struct instance *instance)
{
    return node_name(&instance->key.node) + instance->key.node.name_len;
}
static inline const uint8_t *instance_location(const struct instance *instance)
{
    return instance_txt(instance) + instance->txt_len;
}
static inline const uint8_t *instance_host(const struct instance *instance)
{
    return instance_location(instance) + instance->location_len;
}
static inline const uint8_t *instance_key(const struct instance *instance)
{
    return instance_host(instance) + instance->host_len;
}
/* The registry's name: the label, or the end of the stored key "/service/<type>/<name>". */
static inline const uint8_t *instance_registry_name(const struct instance *instance, size_t *len)
{
    const uint8_t *label = instance_label(instance);
    if (instance->name_is_label) {
        *len = label[0];
        return label + 1;
    }
    const uint8_t *key = instance_key(instance), *end = key + instance->key.key_len;
    const uint8_t *name = memchr(key + 9, '/', (size_t)(end - key - 9));
    *len = (size_t)(end - name - 1);
    return name + 1;
}
/* The next instance of the same name. */
static inline const struct instance *instance_next(const struct instance *instance)
{
    return (const struct instance *)rcu_read(instance->key.next);
}

/* The TXT data of a switch. */
static inline const uint8_t *switch_node_txt(const struct switch_node *node)
{
    return node_name(&node->key.node) + node->key.node.name_len;
}

#endif
