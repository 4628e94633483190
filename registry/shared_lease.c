#include "shared_lease.h"

#include "lease_id.h"
#include "registry/etcd/lease.h"

#include <stdlib.h>

/* Shared leases. A lease of its own for each of a million keys would cost etcd as much as the
 * keys: a grant is a raft proposal, and at expiry each is revoked by one. So keys of one TTL
 * share leases, up to LEASE_KEYS_MAX to one, since etcd deletes all keys of a lease in one
 * transaction.
 *
 * A group holds the lease that takes keys at present, for one TTL. It is replaced when it is
 * full, or when half its time has passed: a key attached later would expire almost at once. The
 * old lease lives on for the keys that wait for its grant, which hold references (`users`).
 *
 * IDs are chosen here (lease_id.h), before the grant, so that keys can be assigned without
 * waiting for it; grants run SHARED_LEASE_GRANTS_MAX at a time, and whoever writes keys waits
 * for is_granted. TTLs come from a file that anybody may have written: beyond the first
 * SHARED_LEASE_TTLS_MAX they are rounded up, never down, so that the number of groups is bounded
 * and no key expires early. */

#define SHARED_LEASE_GRANTS_MAX 8  /* under way */
#define SHARED_LEASE_EXACT_S    50 /* up to here no TTL is rounded: a second is more than 2 % */
#define SHARED_LEASE_MS_PER_S   1000

void shared_lease_init(struct shared_leases *leases, struct etcd *etcd, uv_loop_t *loop,
                       shared_lease_granted *on_granted, void *arg)
{
    *leases =
        (struct shared_leases){.etcd = etcd, .loop = loop, .on_granted = on_granted, .arg = arg};
    TAILQ_INIT(&leases->waiting);
}

void shared_lease_release(struct shared_lease *lease)
{
    if (lease && --lease->users == 0)
        free(lease);
}

static void shared_lease_on_granted(void *arg, const struct lease_result *result)
{
    struct shared_lease *lease = arg;
    struct shared_leases *leases = lease->leases;
    lease->is_granted = result->status == STATUS_OK;
    lease->granted_ms = uv_now(leases->loop);
    leases->grants--;
    shared_lease_release(lease);
    leases->on_granted(leases->arg, result->status, result->why);
}

static struct shared_lease *shared_lease_pop(struct shared_leases *leases)
{
    struct shared_lease *lease = TAILQ_FIRST(&leases->waiting);
    TAILQ_REMOVE(&leases->waiting, lease, node);
    leases->waiting_count--;
    return lease;
}

void shared_lease_ask(struct shared_leases *leases)
{
    while (leases->waiting_count > 0 && leases->grants < SHARED_LEASE_GRANTS_MAX) {
        struct shared_lease *lease = shared_lease_pop(leases);
        leases->grants++;
        lease_grant(leases->etcd, lease->id, lease->ttl_s, shared_lease_on_granted, lease);
    }
}

void shared_lease_drop(struct shared_leases *leases)
{
    while (leases->waiting_count > 0)
        shared_lease_release(shared_lease_pop(leases));
}

void shared_lease_clear(struct shared_leases *leases)
{
    shared_lease_drop(leases);
    for (size_t i = 0; i < leases->group_count; i++)
        shared_lease_release(leases->groups[i].lease);
    leases->group_count = 0;
}

/* Whether the lease takes a key more. What is left of a lease is what its keys live: one that comes
 * late must not live for a moment only. */
static bool shared_lease_has_room(const struct shared_leases *leases,
                                  const struct shared_lease *lease)
{
    if (lease->key_count == LEASE_KEYS_MAX)
        return false;
    uint64_t age_ms = uv_now(leases->loop) - lease->granted_ms;
    return !lease->is_granted || age_ms <= lease->ttl_s * (SHARED_LEASE_MS_PER_S / 2);
}

/* Up, by less than 2 %, to one of a thousand TTLs: from each to the next it is a fiftieth. */
static uint64_t shared_lease_round_up(uint64_t ttl_s)
{
    uint64_t rounded_s = SHARED_LEASE_EXACT_S;
    if (ttl_s <= SHARED_LEASE_EXACT_S)
        return ttl_s;
    while (rounded_s < ttl_s)
        rounded_s += rounded_s / SHARED_LEASE_EXACT_S;
    return rounded_s < LEASE_TTL_MAX_S ? rounded_s : LEASE_TTL_MAX_S;
}

/* Its index; group_count: there is none. */
static size_t shared_lease_find(const struct shared_leases *leases, uint64_t ttl_s)
{
    size_t i = 0;
    while (i < leases->group_count && leases->groups[i].ttl_s != ttl_s)
        i++;
    return i;
}

/* The index of the group of this TTL; when there are many, of that of one a little longer. */
static size_t shared_lease_group(struct shared_leases *leases, uint64_t ttl_s)
{
    size_t i = shared_lease_find(leases, ttl_s);
    if (i == leases->group_count && i >= SHARED_LEASE_TTLS_MAX) {
        ttl_s = shared_lease_round_up(ttl_s);
        i = shared_lease_find(leases, ttl_s);
    }
    if (i == leases->group_count && i < SHARED_LEASE_GROUPS_MAX) {
        leases->groups[i].ttl_s = ttl_s;
        leases->groups[i].lease = NULL;
        leases->group_count++;
    }
    return i;
}

/* Users: the group and the grant. */
static enum status shared_lease_new(struct shared_leases *leases, uint64_t ttl_s,
                                    struct shared_lease **out)
{
    int64_t id;
    enum status status = lease_id_new(ttl_s, &id);
    if (status != STATUS_OK)
        return status;
    struct shared_lease *lease = calloc(1, sizeof(*lease));
    if (!lease)
        return STATUS_NO_MEMORY;
    *lease = (struct shared_lease){.leases = leases, .id = id, .ttl_s = ttl_s, .users = 2};
    TAILQ_INSERT_TAIL(&leases->waiting, lease, node);
    leases->waiting_count++;
    *out = lease;
    return STATUS_OK;
}

enum status shared_lease_take(struct shared_leases *leases, uint64_t ttl_s,
                              struct shared_lease **out)
{
    size_t i = shared_lease_group(leases, ttl_s);
    if (i == SHARED_LEASE_GROUPS_MAX)
        return STATUS_TOO_LARGE;
    struct shared_lease *lease = leases->groups[i].lease;
    if (!lease || !shared_lease_has_room(leases, lease)) {
        shared_lease_release(lease);
        leases->groups[i].lease = lease = NULL;
        enum status status = shared_lease_new(leases, leases->groups[i].ttl_s, &lease);
        if (status != STATUS_OK)
            return status;
        leases->groups[i].lease = lease;
    }
    lease->users++;
    lease->key_count++;
    *out = lease;
    return STATUS_OK;
}
