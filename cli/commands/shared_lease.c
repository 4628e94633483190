#include "shared_lease.h"

#include "registry/etcd/lease.h"

#include <stdlib.h>

#define GRANTS_MAX    8  /* under way */
#define ROUNDED_MIN_S 50 /* up to here a TTL is never rounded: a second is more than 2 % */
#define MS_PER_S      1000

void promise_init(struct promises *promises, struct session *session, promise_granted *granted,
                  void *arg)
{
    *promises = (struct promises){.session = session, .granted = granted, .arg = arg};
    promises->waiting_end = &promises->waiting;
}

void promise_release(struct promise *promise)
{
    if (promise && --promise->users == 0)
        free(promise);
}

static void on_granted(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                       int64_t left_s, const struct detail *why)
{
    (void)id;
    (void)granted_ttl_s;
    (void)left_s;
    struct promise *promise = arg;
    struct promises *promises = promise->promises;
    promise->is_granted = status == STATUS_OK;
    promise->granted_ms = uv_now(&promises->session->loop);
    promises->grants--;
    promise_release(promise);
    promises->granted(promises->arg, status, why);
}

static struct promise *take_waiting(struct promises *promises)
{
    struct promise *promise = promises->waiting;
    promises->waiting = promise->next;
    if (!promises->waiting)
        promises->waiting_end = &promises->waiting;
    promises->waiting_count--;
    return promise;
}

void promise_ask(struct promises *promises)
{
    while (promises->waiting && promises->grants < GRANTS_MAX) {
        struct promise *promise = take_waiting(promises);
        promises->grants++;
        lease_grant(promises->session->etcd, promise->id, promise->ttl_s, on_granted, promise);
    }
}

void promise_drop(struct promises *promises)
{
    while (promises->waiting)
        promise_release(take_waiting(promises));
}

void promise_clear(struct promises *promises)
{
    promise_drop(promises);
    for (size_t i = 0; i < promises->group_count; i++)
        promise_release(promises->groups[i].promise);
    promises->group_count = 0;
}

/* Whether the lease takes a key more. */
static bool has_room(const struct promises *promises, const struct promise *promise)
{
    if (promise->key_count == LEASE_KEYS_MAX)
        return false;
    uint64_t now_ms = uv_now(&promises->session->loop);
    return !promise->is_granted || now_ms - promise->granted_ms <= promise->ttl_s * (MS_PER_S / 2);
}

/* Up, by less than 2 %, to one of a thousand TTLs. */
static uint64_t round_up(uint64_t ttl_s)
{
    uint64_t rounded_s = ROUNDED_MIN_S;
    if (ttl_s <= ROUNDED_MIN_S)
        return ttl_s;
    while (rounded_s < ttl_s)
        rounded_s += rounded_s / ROUNDED_MIN_S;
    return rounded_s < LEASE_TTL_MAX_S ? rounded_s : LEASE_TTL_MAX_S;
}

/* Its index; group_count: there is none. */
static size_t find_group(const struct promises *promises, uint64_t ttl_s)
{
    size_t i = 0;
    while (i < promises->group_count && promises->groups[i].ttl_s != ttl_s)
        i++;
    return i;
}

/* The group of this TTL; when there are many, that of one a little longer. */
static size_t group_of(struct promises *promises, uint64_t ttl_s)
{
    size_t i = find_group(promises, ttl_s);
    if (i == promises->group_count && i >= PROMISE_TTLS_MAX) {
        ttl_s = round_up(ttl_s);
        i = find_group(promises, ttl_s);
    }
    if (i == promises->group_count && i < PROMISE_GROUPS_MAX) {
        promises->groups[i].ttl_s = ttl_s;
        promises->groups[i].promise = NULL;
        promises->group_count++;
    }
    return i;
}

/* Users: the group and the grant. */
static enum status promise_new(struct promises *promises, uint64_t ttl_s, struct promise **out,
                               struct detail *why)
{
    int64_t id;
    if (lease_new_id(ttl_s, &id) != STATUS_OK)
        return detail_set(why, STATUS_SYSTEM, "no random number for a lease");
    struct promise *promise = calloc(1, sizeof(*promise));
    if (!promise)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    *promise = (struct promise){.promises = promises, .id = id, .ttl_s = ttl_s, .users = 2};
    *promises->waiting_end = promise;
    promises->waiting_end = &promise->next;
    promises->waiting_count++;
    *out = promise;
    return STATUS_OK;
}

enum status promise_take(struct promises *promises, uint64_t ttl_s, struct promise **out,
                         struct detail *why)
{
    size_t i = group_of(promises, ttl_s);
    if (i == PROMISE_GROUPS_MAX)
        return detail_set(why, STATUS_TOO_LARGE, "too many TTLs");
    struct promise *promise = promises->groups[i].promise;
    if (!promise || !has_room(promises, promise)) {
        promise_release(promise);
        promises->groups[i].promise = promise = NULL;
        enum status status = promise_new(promises, promises->groups[i].ttl_s, &promise, why);
        if (status != STATUS_OK || !promise)
            return status;
        promises->groups[i].promise = promise;
    }
    promise->users++;
    promise->key_count++;
    *out = promise;
    return STATUS_OK;
}
