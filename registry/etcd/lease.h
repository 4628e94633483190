/* registry/etcd/lease.h - a promise to etcd that this process is alive.
 *
 * Keys written under a lease vanish when it expires, so an instance that crashes leaves the
 * registry by itself about its TTL later. The caller chooses the ID (lease_id.h): a grant whose
 * answer was lost is repeated with the same one, and "already exists" is success.
 *
 * Units: *_s is whole seconds.
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_LEASE_H
#define REGISTRY_ETCD_LEASE_H

#include "etcd.h"

#define LEASE_KEYS_MAX  1000       /* keys to a lease: more make etcd 3.4 slow for everyone */
#define LEASE_TTL_MAX_S 9000000000 /* etcd's own bound */

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
