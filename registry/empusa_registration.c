#include "empusa_registration.h"

#include "empusa_caller.h"
#include "keeper.h"
#include "kept_lease.h"

#include <stdlib.h>

#define MS_PER_S        1000
#define BEATS_PER_TTL   3     /* as etcd's own client */
#define BEAT_MAX_MS     60000 /* what vanished is back within a minute, however long the TTL */
#define LEAVING_AT_ONCE 32    /* connections to etcd, when a thousand go */

/* A lease of this registry: of one TTL there are several once one has all the keys that it may
 * have. They stay until the registry is closed; one without registrations is renewed by nobody, and
 * runs out. */
struct empusa_leases {
    struct kept_lease *lease;
    uint32_t ttl_s;
    struct empusa_leases *next;
};

static struct empusa_registration_call *empusa_registration_of(struct empusa_call *call)
{
    return (struct empusa_registration_call *)call;
}

static void empusa_registration_tell(struct empusa_registration *registration,
                                     enum empusa_event_kind kind, enum status status,
                                     const char *why)
{
    const struct empusa_event event = {
        kind, registration, registration->type, registration->name, empusa_caller_code(status),
        why};
    empusa_thread_tell(registration->registry, &event);
}

/* Of a keeper's event: what those who wait want to know. Returns whether the program knows the
 * registration by now. */
static bool empusa_registration_note(struct empusa_registration *registration,
                                     enum keeper_event event, enum status status,
                                     const struct detail *why)
{
    struct empusa *registry = registration->registry;
    pthread_mutex_lock(&registry->lock);
    bool is_known = registration->is_handed_out;
    registration->is_registered = keeper_is_registered(registration->keeper);
    registration->is_written = keeper_is_written(registration->keeper);
    if (event == KEEPER_REFUSED || event == KEEPER_NOT_UNREGISTERED) {
        registration->status = status;
        registration->why = *why;
    } else if (event == KEEPER_LEFT_ALONE) {
        registration->status = detail_set(&registration->why, STATUS_CONFLICT,
                                          "another process has changed the entry: it is left as "
                                          "it is");
    }
    pthread_cond_broadcast(&registry->changed);
    pthread_mutex_unlock(&registry->lock);
    return is_known;
}

static void empusa_registration_leave_some(struct empusa *registry);

/* The last that the thread does with it: who waits for is_ended frees it. So the keeper, whose
 * events point to it, goes before that is said, and nothing of it is touched after the lock is
 * given up. */
static void empusa_registration_end(struct empusa_registration *registration)
{
    struct empusa *registry = registration->registry;
    empusa_thread_forget(registry, &registration->is_away);
    registry->leaving -= registration->is_leaving;
    keeper_free(registration->keeper);
    pthread_mutex_lock(&registry->lock);
    registration->keeper = NULL;
    registration->is_registered = false;
    registration->is_ended = true;
    pthread_cond_broadcast(&registry->changed);
    pthread_mutex_unlock(&registry->lock);
    if (registry->is_closing)
        empusa_registration_leave_some(registry);
}

/* What the program is told of: the rest is for those who wait. */
static const struct {
    bool is_told;
    enum empusa_event_kind kind;
} told[] = {
    [KEEPER_REGISTERED] = {true, EMPUSA_EVENT_REGISTERED},
    [KEEPER_REFUSED] = {true, EMPUSA_EVENT_REFUSED},
    [KEEPER_VANISHED] = {true, EMPUSA_EVENT_VANISHED},
    [KEEPER_CHANGED] = {true, EMPUSA_EVENT_CHANGED},
    [KEEPER_DRAINING] = {true, EMPUSA_EVENT_DRAINED},
    [KEEPER_UP] = {true, EMPUSA_EVENT_UNDRAINED},
    [KEEPER_ENDED] = {false, EMPUSA_EVENT_REFUSED},
};

static void empusa_registration_on_event(void *arg, enum keeper_event event, enum status status,
                                         const struct detail *why)
{
    struct empusa_registration *registration = arg;
    struct empusa *registry = registration->registry;
    if (event == KEEPER_ENDED) {
        empusa_registration_end(registration);
        return;
    }
    /* Before the program has the registration, what becomes of it is empusa_register()'s to
     * return. */
    bool is_known = empusa_registration_note(registration, event, status, why);
    if (is_known && told[event].is_told)
        empusa_registration_tell(registration, told[event].kind, status, why->text);
    if (event == KEEPER_OUTAGE)
        empusa_thread_lose(registry, &registration->is_away, empusa_caller_code(status), why->text);
    else if (event == KEEPER_RECOVERED || event == KEEPER_REGISTERED || event == KEEPER_REFRESHED)
        empusa_thread_regain(registry, &registration->is_away);
}

/* Under a lease that is not full, which only trying shows. A new one stays in the list even if
 * there is no keeper for it: the next registration takes it. */
static enum status empusa_registration_keep(struct empusa_registration *registration,
                                            struct keeper_options *options)
{
    struct empusa *registry = registration->registry;
    for (struct empusa_leases *leases = registry->leases; leases; leases = leases->next) {
        if (leases->ttl_s != registration->ttl_s)
            continue;
        options->lease = leases->lease;
        enum status status = keeper_new(options, &registration->keeper);
        if (status != STATUS_TOO_MANY)
            return status;
    }
    struct empusa_leases *leases = calloc(1, sizeof(*leases));
    if (!leases)
        return STATUS_NO_MEMORY;
    enum status status =
        kept_lease_new(registry->etcd, &registry->loop, registration->ttl_s, &leases->lease);
    if (status != STATUS_OK) {
        free(leases);
        return status;
    }
    leases->ttl_s = registration->ttl_s;
    leases->next = registry->leases;
    registry->leases = leases;
    options->lease = leases->lease;
    return keeper_new(options, &registration->keeper);
}

void empusa_registration_start(struct empusa_call *call)
{
    struct empusa_registration_call *start = empusa_registration_of(call);
    struct empusa_registration *registration = start->registration;
    struct empusa *registry = registration->registry;
    uint64_t beat_ms = (uint64_t)registration->ttl_s * MS_PER_S / BEATS_PER_TTL;
    struct keeper_options options = {
        .etcd = registry->etcd,
        .loop = &registry->loop,
        .key = registration->key.text,
        .key_len = registration->key.len,
        .value = start->value->value,
        .value_len = start->value->value_len,
        .refresh_ms = beat_ms < BEAT_MAX_MS ? beat_ms : BEAT_MAX_MS,
        .on_event = empusa_registration_on_event,
        .arg = registration,
    };
    start->status = empusa_registration_keep(registration, &options);
    empusa_thread_end(call);
}

void empusa_registration_change(struct empusa_call *call)
{
    struct empusa_registration_call *change = empusa_registration_of(call);
    struct empusa_registration *registration = change->registration;
    struct keeper *keeper = registration->keeper;
    change->status = STATUS_OK;
    if (keeper && change->value)
        change->status =
            keeper_set_value(keeper, change->value->value, change->value->value_len, &change->why);
    else if (keeper)
        change->status = keeper_set_draining(keeper, change->is_draining, &change->why);
    /* Now and not by the next event: the caller waits for it next, and would take what holds for
     * the old value as if it held for the new one. */
    pthread_mutex_lock(&call->registry->lock);
    registration->is_written = keeper && keeper_is_written(keeper);
    pthread_mutex_unlock(&call->registry->lock);
    empusa_thread_end(call);
}

void empusa_registration_leave(struct empusa_call *call)
{
    struct empusa_registration *registration = empusa_registration_of(call)->registration;
    if (registration->keeper)
        keeper_stop(registration->keeper, registration->timeout_ms);
    empusa_thread_end(call);
}

/* Only some at a time; the thread calls `finish` when all are gone. Those that begin late have what
 * is left of the common deadline. The lock may be held: keeper_stop() tells nothing by itself, its
 * events come from the loop. */
static void empusa_registration_leave_some(struct empusa *registry)
{
    uint64_t now_ms = uv_now(&registry->loop);
    uint64_t left_ms = registry->leave_by_ms > now_ms ? registry->leave_by_ms - now_ms : 1;
    bool is_any = false;
    pthread_mutex_lock(&registry->lock);
    for (struct empusa_registration *it = registry->registrations; it; it = it->next) {
        is_any = is_any || it->keeper;
        if (!it->keeper || it->is_leaving || registry->leaving == LEAVING_AT_ONCE)
            continue;
        it->is_leaving = true;
        registry->leaving++;
        keeper_stop(it->keeper, left_ms);
    }
    pthread_mutex_unlock(&registry->lock);
    if (!is_any)
        empusa_thread_finish(registry);
}

void empusa_registration_leave_all(struct empusa *registry, uint64_t deadline_ms)
{
    registry->leave_by_ms = uv_now(&registry->loop) + deadline_ms;
    empusa_registration_leave_some(registry);
}

struct empusa_registration *empusa_registration_new(struct empusa *registry,
                                                    const struct empusa_service *service,
                                                    const struct kv_key *key)
{
    size_t type_size = strlen(service->type) + 1, name_size = strlen(service->name) + 1;
    struct empusa_registration *registration =
        calloc(1, sizeof(*registration) + type_size + name_size);
    if (!registration)
        return NULL;
    /* Events name them as long as it lives, which the program's own strings need not. */
    char *names = (char *)(registration + 1);
    memcpy(names, service->type, type_size);
    memcpy(names + type_size, service->name, name_size);
    registration->registry = registry;
    registration->ttl_s = service->ttl_s;
    registration->timeout_ms = service->timeout_ms;
    registration->key = *key;
    registration->type = names;
    registration->name = names + type_size;
    pthread_mutex_lock(&registry->lock);
    registration->next = registry->registrations;
    registration->link = &registry->registrations;
    if (registration->next)
        registration->next->link = &registration->next;
    registry->registrations = registration;
    pthread_mutex_unlock(&registry->lock);
    return registration;
}

void empusa_registration_free(struct empusa_registration *registration)
{
    struct empusa *registry = registration->registry;
    pthread_mutex_lock(&registry->lock);
    *registration->link = registration->next;
    if (registration->next)
        registration->next->link = registration->link;
    pthread_mutex_unlock(&registry->lock);
    free(registration);
}

void empusa_registration_clear_all(struct empusa *registry)
{
    struct empusa_registration *next;
    for (struct empusa_registration *it = registry->registrations; it; it = next) {
        next = it->next;
        free(it);
    }
    while (registry->leases) {
        struct empusa_leases *leases = registry->leases;
        registry->leases = leases->next;
        kept_lease_release(leases->lease);
        free(leases);
    }
}
