/* registry/etcd/follow_types.h - what is reported to the owner of a follow, and what it counts.
 *
 * Types alone, for follow.h and for the files behind it. */
#ifndef REGISTRY_ETCD_FOLLOW_TYPES_H
#define REGISTRY_ETCD_FOLLOW_TYPES_H

#include "kv_types.h"

struct follow_events {
    /* A load begins: forget marks. Nothing may vanish before load_end. */
    void (*load_begin)(void *arg);
    /* A key has this value. In a load: also those that have not changed (same mod_revision). The
     * key is whole, as in etcd. Of the kv, create_revision and version may be 0. Borrowed. */
    void (*put)(void *arg, const struct kv *kv);
    /* A key is gone since `revision`; perhaps it was never reported. */
    void (*remove)(void *arg, const char *key, size_t key_len, int64_t revision);
    /* The last page of a load is in, read at `revision`: sweep what was not put. */
    void (*load_end)(void *arg, int64_t revision);
    /* What has been reported so far is one state of the store, at `revision`: publish it. Comes
     * after each slice of a load, too, then with revision 0: publish what there is. */
    void (*commit)(void *arg, int64_t revision);
    /* The connection is up (is_live) or lost. Called on a change only, and once more for each
     * further reason that an outage has; `why` is the reason. */
    void (*on_connection)(void *arg, bool is_live, const struct detail *why);
    /* How many keys the owner holds; for the comparison with etcd's. NULL: no comparison. */
    uint64_t (*count)(void *arg);
};

/* Counted from the start, but for the last three. */
struct follow_counts {
    uint64_t outages; /* times that the connection was lost, or was not to be had at the start */
    uint64_t loads;   /* that were complete */
    uint64_t proofs;  /* that found the watch to be right, or put it right */
    uint64_t repairs; /* events that a watch had lost and that were reported late */
    uint64_t reloads; /* loads because what was held was doubtful or could not be followed */
    /* Of the store, whichever key it is that they changed: the newest revision that was heard of,
     * and the one up to which all that was to be reported has been, as a load, or a second watch,
     * has shown. */
    int64_t newest, proven;
    /* When the store still was at `proven`, in uv_now() milliseconds: all that it had accepted by
     * then is proven to be reported. 0: nothing has been loaded. */
    uint64_t proven_ms;
};

/* A member of the cluster, counted from the start. */
struct follow_member {
    const char *name; /* "10.0.0.7:2379", "[fd00::7]:2379"; stays until etcd_close() */
    uint64_t watches; /* that were begun on it: at the start, after a loss, after a load */
    uint64_t
        failures; /* requests that it did not answer, or that were refused for want of a leader */
    bool is_watched; /* now */
};
#endif
