/* registry/shared_lease.h - the leases of many keys: shared, LEASE_KEYS_MAX keys to one at most.
 *
 * Keys of the same TTL share. The first SHARED_LEASE_TTLS_MAX TTLs are kept apart to the second,
 * further ones above 50 s are rounded up by less than 2 %, to one of a thousand: else a list in
 * which each is different would make a lease for each. A lease takes no more keys once half its
 * time is over.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_SHARED_LEASE_H
#define REGISTRY_SHARED_LEASE_H

#include "registry/etcd/etcd.h"

#include <sys/queue.h>

#define SHARED_LEASE_TTLS_MAX   64
#define SHARED_LEASE_GROUPS_MAX 2048 /* more than there can be */

/* It lives as long as its group gives it keys, its grant is under way or somebody else uses it. */
struct shared_lease {
    struct shared_leases *leases;
    TAILQ_ENTRY(shared_lease) node; /* in leases->waiting */
    int64_t id;
    uint64_t ttl_s, granted_ms;
    unsigned key_count, users;
    bool is_granted;
};

/* A grant has ended. */
typedef void shared_lease_granted(void *arg, enum status status, const struct detail *why);

struct shared_leases {
    struct etcd *etcd;
    uv_loop_t *loop; /* its clock is ours */
    shared_lease_granted *on_granted;
    void *arg;
    struct {
        uint64_t ttl_s;
        struct shared_lease *lease;
    } groups[SHARED_LEASE_GROUPS_MAX];
    size_t group_count;
    TAILQ_HEAD(, shared_lease) waiting; /* not asked for yet */
    size_t waiting_count, grants;       /* grants: under way */
};

/* *leases must stay where it is. */
void shared_lease_init(struct shared_leases *leases, struct etcd *etcd, uv_loop_t *loop,
                       shared_lease_granted *on_granted, void *arg);
/* The lease of one key more, to be given to shared_lease_release(). SYSTEM: no random number for
 * its ID. NO_MEMORY. */
MUST_USE enum status shared_lease_take(struct shared_leases *leases, uint64_t ttl_s,
                                       struct shared_lease **out);
void shared_lease_release(struct shared_lease *lease); /* NULL: nothing */
/* Ask etcd for those that wait, some at a time. */
void shared_lease_ask(struct shared_leases *leases);
/* Forget those that wait. */
void shared_lease_drop(struct shared_leases *leases);
/* After etcd_close(). */
void shared_lease_clear(struct shared_leases *leases);

#endif
