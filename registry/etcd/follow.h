/* registry/etcd/follow.h - follow everything below a prefix: load at one revision, then watch from
 * the next.
 *
 * It keeps no copy. It reports to its owner, in order: a load (load_begin, put for every key,
 * load_end) or single changes (put, remove), each group closed by commit. After a lost stream it
 * resumes at the next revision on any member; after compaction, a gap too long to replay (20,000
 * revisions) or a store that was wiped or restored (revision or raft term gone backwards, another
 * cluster ID), it loads again: between load_begin and load_end the owner marks what is put and at
 * load_end sweeps what was not, so that a difference is applied and nothing flaps. A load that is
 * broken off is begun anew (load_begin again).
 *
 * The stream carries `hasleader` and is backed by a probe of the same member each second, so
 * that a minority is noticed within about 3 s, and within 2 s a silent member beside one that
 * answers. What the watch reports is verified (follow_prove.c) every 30 s, and earlier when much
 * has changed: events that it has lost are reported late, and a watch that stalls in the middle of
 * a line for 1 s is abandoned. No event is reported twice, nor after a newer one of its key. After
 * a lost connection the newest event that was reported is looked up in the store's history
 * (follow_check.h); without one, or where there are few keys and the connection was lost for 2 s,
 * everything is loaded again.
 *
 * Units: revisions as in etcd. Threads: as etcd.h; every callback comes from the loop. */
#ifndef REGISTRY_ETCD_FOLLOW_H
#define REGISTRY_ETCD_FOLLOW_H

#include "etcd.h"
#include "follow_types.h"

struct follow;

/* Follow all keys that begin with `prefix`. `events` is copied, `arg` is handed to each callback.
 * Never gives up: unreachable, denied and the rest are retried with jittered backoff (0.25 s
 * doubling to 1 s) and reported by on_connection(). SYSTEM: no randomness. */
MUST_USE enum status follow_start(struct etcd *etcd, const char *prefix, size_t prefix_len,
                                  const struct follow_events *events, void *arg,
                                  struct follow **out);

/* How often the watch is proven (30 s), and up to how many keys (20,000) the changed ones are read
 * for it, too: etcd looks at all to find them. Before the loop runs. */
void follow_set_proof(struct follow *follow, uint32_t every_ms, uint64_t read_max);

/* Why the connection is lost, or was lost last. */
enum status follow_lost_status(const struct follow *follow);

/* No callback comes after this. Must be called before etcd_close(). */
void follow_stop(struct follow *follow);

/* The owner could not keep what was reported: load again. Not from inside a callback. */
void follow_load_again(struct follow *follow, const char *reason);

/* uv_now() milliseconds of the last sign of life of the member that is watched; 0 = never. */
uint64_t follow_last_seen_ms(const struct follow *follow);

/* Of the cluster that was loaded last; 0 before the first load. */
uint64_t follow_cluster_id(const struct follow *follow);

/* What has been counted since the start, and what is proven. */
void follow_count(const struct follow *follow, struct follow_counts *out);

/* The members that are known, in an order that stays; there come more only by discovery. `out` has
 * room for ENDPOINT_LIST_MAX of them. Returns how many. */
size_t follow_members(const struct follow *follow, struct follow_member *out);

#endif
