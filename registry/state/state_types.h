/* registry/state/state_types.h - what the copy on disk says of itself, beside its keys. */
#ifndef REGISTRY_STATE_STATE_TYPES_H
#define REGISTRY_STATE_STATE_TYPES_H

#include "registry/etcd/kv_types.h"

/* One whole state of the store. */
struct state_mark {
    int64_t revision;    /* of etcd; above 0 */
    uint64_t cluster_id; /* whose revision that is; 0: not known */
    uint32_t serial;     /* under which the zone showed it */
    int64_t contact_s;   /* when etcd was last heard of: seconds since the epoch */
};

#endif
