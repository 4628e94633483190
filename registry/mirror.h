/* registry/mirror.h - follow everything below a prefix: load at one revision, then watch from the
 * next.
 *
 * The mirror keeps no copy. It tells its owner, in order: a load (load_begin, put for every key,
 * load_end) or single changes (put, remove), each group closed by commit. After a lost stream it
 * resumes at the next revision on any member; after compaction, a gap too long to replay (20,000
 * revisions) or a store that was wiped or restored (revision or raft term gone backwards, another
 * cluster ID), it loads again: between load_begin and load_end the owner marks what is put and at
 * load_end sweeps what was not, so that a difference is applied and nothing flaps. A load that is
 * broken off is begun anew (load_begin again).
 *
 * The stream carries `hasleader` and is backed by a probe of the same member each second, so that a
 * silent member or a minority is noticed within about 3 s. Once a minute the count of keys is
 * compared with count(); a mismatch makes a load, because etcd's watches have lost deletes
 * (etcd#18089, #19179).
 *
 * Units: revisions as in etcd. Threads: as etcd.h; every callback comes from the loop. */
#ifndef REGISTRY_MIRROR_H
#define REGISTRY_MIRROR_H

#include "etcd.h"
#include "kv.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

struct mirror;

struct mirror_events {
    /* A load begins: forget marks. Nothing may vanish before load_end. */
    void (*load_begin)(void *arg);
    /* A key has this value. In a load: also those that have not changed (same mod_revision). The
     * key is whole, as in etcd. Of the kv, create_revision and version may be 0. Borrowed. */
    void (*put)(void *arg, const struct kv *kv);
    /* A key is gone since `revision`; perhaps it was never told. */
    void (*remove)(void *arg, const char *key, size_t key_len, int64_t revision);
    /* The last page of a load is in, read at `revision`: sweep what was not put. */
    void (*load_end)(void *arg, int64_t revision);
    /* What has been told so far is one state of the store, at `revision`: publish it. Comes after
     * each slice of a load, too, then with revision 0: publish what there is. */
    void (*commit)(void *arg, int64_t revision);
    /* Contact was made (is_live) or is lost. Called on a change only; `why` says why it is lost. */
    void (*contact)(void *arg, bool is_live, const struct detail *why);
    /* How many keys the owner holds; for the comparison once a minute. NULL: no comparison. */
    uint64_t (*count)(void *arg);
};

/* Follow all keys that begin with `prefix`. `events` is copied, `arg` is handed to each callback.
 * Never gives up: unreachable, denied and the rest are retried with jittered backoff (0.25 s
 * doubling to 10 s) and told through contact(). */
MUST_USE enum status mirror_start(struct etcd *etcd, const char *prefix, size_t prefix_len,
                                  const struct mirror_events *events, void *arg,
                                  struct mirror **out);

/* No callback comes after this. Must be called before etcd_close(). */
void mirror_stop(struct mirror *mirror);

/* uv_now() milliseconds of the last sign of life of the member that is watched; 0 = never. */
uint64_t mirror_last_seen_ms(const struct mirror *mirror);

#endif
