/* registry/etcd/lease.h - a promise to etcd that this process is alive.
 *
 * Keys written under a lease vanish when it expires, so an instance that crashes leaves the
 * registry by itself about its TTL later. empusa chooses the ID: 63 bits = tag 0x45 (8 bits), TTL
 * in seconds or 255 if longer (8 bits), random (47 bits). A grant whose answer was lost is repeated
 * with the same ID ("already exists" is success), and a reader learns the TTL from the ID alone.
 *
 * Units: *_s is whole seconds.
 * Threads: as etcd.h; the ID functions are pure. */
#ifndef REGISTRY_ETCD_LEASE_H
#define REGISTRY_ETCD_LEASE_H

#include "etcd.h"
#include "registry/base/status.h"

#include <stdint.h>

#define LEASE_KEYS_MAX      1000       /* keys to a lease: more make etcd 3.4 slow for everyone */
#define LEASE_TTL_MAX_S     9000000000 /* etcd's own bound */
#define LEASE_TTL_ASSUMED_S 5          /* of a lease with another tag */

/* The TTL that an ID says, 255 standing for "255 or more"; LEASE_TTL_ASSUMED_S for another tag;
 * 0 for lease 0 (none). */
uint32_t lease_ttl_of_id(int64_t id);

/* A new ID for a TTL, from getrandom(2). SYSTEM. */
MUST_USE enum status lease_new_id(uint64_t ttl_s, int64_t *out);

/* Callbacks as in kv.h: exactly once, from the loop.
 * granted_ttl_s: what etcd gave, at least its minimum; 0 = the lease is gone (not an error: the
 * status is NOT_FOUND). left_s: whole seconds left. */
typedef void lease_done(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                        int64_t left_s, const struct detail *why);

/* Grant with this ID. Harmless to repeat. */
void lease_grant(struct etcd *etcd, int64_t id, uint64_t ttl_s, lease_done *done, void *arg);
/* Renew. NOT_FOUND: gone. left_s = granted_ttl_s = the full TTL. */
void lease_keep_alive(struct etcd *etcd, int64_t id, lease_done *done, void *arg);
/* Ask for the time left. NOT_FOUND: gone. */
void lease_time_left(struct etcd *etcd, int64_t id, lease_done *done, void *arg);
/* Revoke, with all its keys. NOT_FOUND: gone already. */
void lease_revoke(struct etcd *etcd, int64_t id, lease_done *done, void *arg);

#endif
