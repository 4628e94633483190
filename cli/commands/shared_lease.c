#include "shared_lease.h"

#include "registry/etcd/lease.h"
#include "registry/lease_id.h"

#include <stdlib.h>

#define GRANTS_MAX    8  /* under way */
#define ROUNDED_MIN_S 50 /* up to here a TTL is never rounded: a second is more than 2 % */
#define MS_PER_S      1000

void shared_lease_init(struct promises *promises, struct session *session,
                       shared_lease_granted *granted, void *arg)
{
    *promises = (struct promises){.session = session, .granted = granted, .arg = arg};
    promises->waiting_end = &promises->waiting;
}

void shared_lease_release(struct shared_lease *promise)
{
    if (promise && --promise->users == 0)
        free(promise);
}

static void shared_lease_on_granted(void *arg, enum status status, int64_t id,
                                    int64_t granted_ttl_s, int64_t left_s, const struct detail *why)
{
    (void)id;
    (void)granted_ttl_s;
    (void)left_s;
    struct shared_lease *promise = arg;
    struct promises *promises = promise->promises;
    promise->is_granted = status == STATUS_OK;
    promise->granted_ms = uv_now(&promises->session->loop);
    promises->grants--;
    shared_lease_release(promise);
    promises->granted(promises->arg, status, why);
}

static struct shared_lease *shared_lease_take_waiting(struct promises *promises)
{
    struct shared_lease *promise = promises->waiting;
    promises->waiting = promise->next;
    if (!promises->waiting)
        promises->waiting_end = &promises->waiting;
    promises->waiting_count--;
    return promise;
}

void shared_lease_ask(struct promises *promises)
{
    while (promises->waiting && promises->grants < GRANTS_MAX) {
        struct shared_lease *promise = shared_lease_take_waiting(promises);
        promises->grants++;
        lease_grant(promises->session->etcd, promise->id, promise->ttl_s, shared_lease_on_granted,
                    promise);
    }
}

void shared_lease_drop(struct promises *promises)
{
    while (promises->waiting)
        shared_lease_release(shared_lease_take_waiting(promises));
}

void shared_lease_clear(struct promises *promises)
{
    shared_lease_drop(promises);
    for (size_t i = 0; i < promises->group_count; i++)
        shared_lease_release(promises->groups[i].promise);
    promises->group_count = 0;
}

/* Whether the lease takes a key more. */
static bool shared_lease_has_room(const struct promises *promises,
                                  const struct shared_lease *promise)
{
    if (promise->key_count == LEASE_KEYS_MAX)
        return false;
    uint64_t now_ms = uv_now(&promises->session->loop);
    return !promise->is_granted || now_ms - promise->granted_ms <= promise->ttl_s * (MS_PER_S / 2);
}

/* Up, by less than 2 %, to one of a thousand TTLs. */
static uint64_t shared_lease_round_up(uint64_t ttl_s)
{
    uint64_t rounded_s = ROUNDED_MIN_S;
    if (ttl_s <= ROUNDED_MIN_S)
        return ttl_s;
    while (rounded_s < ttl_s)
        rounded_s += rounded_s / ROUNDED_MIN_S;
    return rounded_s < LEASE_TTL_MAX_S ? rounded_s : LEASE_TTL_MAX_S;
}

/* Its index; group_count: there is none. */
static size_t shared_lease_find_group(const struct promises *promises, uint64_t ttl_s)
{
    size_t i = 0;
    while (i < promises->group_count && promises->groups[i].ttl_s != ttl_s)
        i++;
    return i;
}

/* The group of this TTL; when there are many, that of one a little longer. */
static size_t shared_lease_group_of(struct promises *promises, uint64_t ttl_s)
{
    size_t i = shared_lease_find_group(promises, ttl_s);
    if (i == promises->group_count && i >= SHARED_LEASE_TTLS_MAX) {
        ttl_s = shared_lease_round_up(ttl_s);
        i = shared_lease_find_group(promises, ttl_s);
    }
    if (i == promises->group_count && i < SHARED_LEASE_GROUPS_MAX) {
        promises->groups[i].ttl_s = ttl_s;
        promises->groups[i].promise = NULL;
        promises->group_count++;
    }
    return i;
}

/* Users: the group and the grant. */
static enum status shared_lease_new(struct promises *promises, uint64_t ttl_s,
                                    struct shared_lease **out, struct detail *why)
{
    int64_t id;
    if (lease_id_new(ttl_s, &id) != STATUS_OK)
        return detail_set(why, STATUS_SYSTEM, "no random number for a lease");
    struct shared_lease *promise = calloc(1, sizeof(*promise));
    if (!promise)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    *promise = (struct shared_lease){.promises = promises, .id = id, .ttl_s = ttl_s, .users = 2};
    *promises->waiting_end = promise;
    promises->waiting_end = &promise->next;
    promises->waiting_count++;
    *out = promise;
    return STATUS_OK;
}

enum status shared_lease_take(struct promises *promises, uint64_t ttl_s, struct shared_lease **out,
                              struct detail *why)
{
    size_t i = shared_lease_group_of(promises, ttl_s);
    if (i == SHARED_LEASE_GROUPS_MAX)
        return detail_set(why, STATUS_TOO_LARGE, "too many TTLs");
    struct shared_lease *promise = promises->groups[i].promise;
    if (!promise || !shared_lease_has_room(promises, promise)) {
        shared_lease_release(promise);
        promises->groups[i].promise = promise = NULL;
        enum status status = shared_lease_new(promises, promises->groups[i].ttl_s, &promise, why);
        if (status != STATUS_OK || !promise)
            return status;
        promises->groups[i].promise = promise;
    }
    promise->users++;
    promise->key_count++;
    *out = promise;
    return STATUS_OK;
}
