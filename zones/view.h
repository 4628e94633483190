/* zones/view.h - the part of a zone that answering reads.
 *
 * Constant but for the table of names and the serial, which are read without locks (rcu.h).
 *
 * Threads: any reader. */
#ifndef ZONES_VIEW_H
#define ZONES_VIEW_H

#include "node.h"
#include "zones/store/ptr_table.h"

struct zone;

struct view_ns {
    struct name_buffer wire;  /* absolute */
    const struct fixed *node; /* with its addresses; NULL when it lies elsewhere or has none */
};

struct view {
    struct ptr_table names; /* readers use .slots alone */
    struct name_seed seed;
    uint32_t serial; /* rcu_read() */
    uint32_t record_ttl_s, negative_ttl_s;
    bool is_partial;         /* view_is_partial() */
    uint8_t label_count;     /* of the zone's name, without the root label */
    uint8_t ns_count;        /* of ns[] */
    struct name_buffer wire; /* the zone's name, as configured */
    struct name_buffer folded;
    struct name_buffer host; /* what follows the name of a dotless host */
    struct name_buffer mname, rname;
    struct view_ns *ns;
    const struct node *apex; /* in the table as the empty name */
};

#define VIEW_STATIC_TTL_S  3600 /* of NS, their addresses and the browsing domains */
#define VIEW_SOA_TTL_S     60
#define VIEW_SOA_REFRESH_S 60
#define VIEW_SOA_RETRY_S   20
#define VIEW_SOA_EXPIRE_S  604800

/* A zone begins with its view. */
static inline const struct view *zone_view(const struct zone *zone)
{
    return (const struct view *)(const void *)zone;
}

/* Whether there may be names and records that are not here for want of memory: then nothing may be
 * said not to exist. False: all are here that a reader may have looked for since it was last
 * quiescent. */
static inline bool view_is_partial(const struct view *view)
{
    return __atomic_load_n(&view->is_partial, __ATOMIC_ACQUIRE);
}

/* The node with this folded name in a table of nodes; NULL when there is none. */
static inline const struct node *view_find_in(const struct ptr_table_slots *slots,
                                              struct name_padded folded, uint64_t hash)
{
    uint64_t position = hash;
    const struct node *node;
    while ((node = ptr_table_next(slots, hash, &position)))
        if (name_equal(folded, node_padded(node)))
            return node;
    return NULL;
}

/* The owner with this folded name, relative to the zone. */
static inline const struct node *view_find(const struct view *view, struct name_padded folded,
                                           uint64_t hash)
{
    return view_find_in(rcu_read(view->names.slots), folded, hash);
}

static inline uint8_t node_kind(const struct node *node)
{
    return __atomic_load_n(&node->kind, __ATOMIC_RELAXED);
}

#endif
