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

struct lease_result {
    enum status status; /* NOT_FOUND: the lease is gone */
    int64_t id;
    int64_t granted_ttl_s,
        left_s; /* only when OK: what etcd gave, at least its minimum; what is left */
    const struct detail *why;
};

/* Callbacks as in kv.h: exactly once, from the loop or, without memory, from inside the call. *result
 * is borrowed. */
typedef void lease_done(void *arg, const struct lease_result *result);

/* Grant with this ID. Harmless to repeat. */
void lease_grant(struct etcd *etcd, int64_t id, uint64_t ttl_s, lease_done *done, void *arg);
/* Renew. NOT_FOUND: gone. left_s = granted_ttl_s = the full TTL. */
void lease_keep_alive(struct etcd *etcd, int64_t id, lease_done *done, void *arg);
/* Ask for the time left. NOT_FOUND: gone. */
void lease_time_left(struct etcd *etcd, int64_t id, lease_done *done, void *arg);
/* Revoke, with all its keys. NOT_FOUND: gone already. */
void lease_revoke(struct etcd *etcd, int64_t id, lease_done *done, void *arg);

#endif
