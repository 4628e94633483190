/* registry/feed/guard_types.h - what the guard is told, and what it counts.
 *
 * Types alone, for guard.h and for the files behind it. */
#ifndef REGISTRY_FEED_GUARD_TYPES_H
#define REGISTRY_FEED_GUARD_TYPES_H

#include "registry/base/log.h"
#include "registry/etcd/etcd.h"
#include "registry/key.h"

#define GUARD_SHARE_MAX 99

struct guard_options {
    unsigned share; /* percent, 1..GUARD_SHARE_MAX */
    uint64_t hold_ms;
    const struct key_root *root; /* of the keys that are followed; must outlive the guard, as */
    struct etcd *etcd;           /* must all of these: guard_close() before etcd_close() */
    uv_loop_t *loop;
    const struct log *log;
};

/* What has been counted since the start, but for `held`. */
struct guard_counts {
    uint64_t held;     /* instances that are answered only because of the guard, now */
    uint64_t holds;    /* how often it began to hold instances of a type */
    uint64_t expired;  /* instances that were judged to have expired, */
    uint64_t deleted;  /* or to have been deleted on purpose */
    uint64_t returned; /* instances that were registered again while they were held, */
    uint64_t released; /* or were let go when their hold was over, */
    uint64_t dropped;  /* or because etcd said meanwhile that they are gone on purpose */
};

#endif
