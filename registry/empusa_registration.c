/* A registration is a keeper on the registry's thread and a few facts under the lock, which the
 * keeper's events write and those who wait read. The lock's condition wakes them all; there are
 * few. */
#include "empusa_registration.h"

#include "empusa_caller.h"
#include "keeper.h"
#include "kept_lease.h"
#include "registration.h"
#include "registry/etcd/lease.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS_PER_S      1000
#define BEATS_PER_TTL 3
#define BEAT_MAX_MS   60000 /* what vanished is back within a minute, however long the TTL */
/* Of the first struct empusa_service that there was. */
#define SERVICE_SIZE    (offsetof(struct empusa_service, is_draining) + sizeof(int))
#define LEAVING_AT_ONCE 32 /* connections to etcd, when a thousand go */

/* Leases of one TTL are in the list as often as they are full. */
struct empusa_leases {
    struct kept_lease *lease;
    uint32_t ttl_s;
    struct empusa_leases *next;
};

struct empusa_registration {
    struct empusa *registry;
    struct empusa_registration *next, **link; /* under the lock */
    uint32_t ttl_s, timeout_ms;
    struct kv_key key;
    const char *type, *name; /* behind the struct */
    /* the thread's */
    struct keeper *keeper; /* NULL: it has ended */
    bool is_away;
    bool is_leaving; /* when closing */
    /* under the lock */
    bool is_handed_out; /* the program has it */
    bool is_registered, is_written, is_ended;
    enum status status; /* why it has ended so */
    struct detail why;
};

/* A call about one of them. */
struct empusa_registration_call {
    struct empusa_call call;
    struct empusa_registration *registration;
    const struct registration *value; /* NULL: the state */
    bool is_draining;
    enum status status;
    struct detail why;
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

/* The last that the thread does with it. */
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
    bool is_known = empusa_registration_note(registration, event, status, why);
    if (is_known && told[event].is_told)
        empusa_registration_tell(registration, told[event].kind, status, why->text);
    if (event == KEEPER_OUTAGE)
        empusa_thread_lose(registry, &registration->is_away, empusa_caller_code(status), why->text);
    else if (event == KEEPER_RECOVERED || event == KEEPER_REGISTERED || event == KEEPER_REFRESHED)
        empusa_thread_regain(registry, &registration->is_away);
}

/* One that is not full. */
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

static void empusa_registration_start(struct empusa_call *call)
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

static void empusa_registration_change(struct empusa_call *call)
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
    pthread_mutex_lock(&call->registry->lock);
    registration->is_written = keeper && keeper_is_written(keeper);
    pthread_mutex_unlock(&call->registry->lock);
    empusa_thread_end(call);
}

static void empusa_registration_leave(struct empusa_call *call)
{
    struct empusa_registration *registration = empusa_registration_of(call)->registration;
    if (registration->keeper)
        keeper_stop(registration->keeper, registration->timeout_ms);
    empusa_thread_end(call);
}

/* Only some at a time; the thread calls `finish` when all are gone. */
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

static void empusa_registration_free(struct empusa_registration *registration)
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
    while (registry->registrations)
        empusa_registration_free(registry->registrations);
    while (registry->leases) {
        struct empusa_leases *leases = registry->leases;
        registry->leases = leases->next;
        kept_lease_release(leases->lease);
        free(leases);
    }
}

static const char *const fields[] = {
    [REGISTRATION_TYPE] = "type",         [REGISTRATION_NAME] = "name",
    [REGISTRATION_LOCATION] = "location", [REGISTRATION_TXT] = "txt",
    [REGISTRATION_SUBTYPE] = "subtypes",  [REGISTRATION_ENTRY] = NULL,
};

static const enum entry_protocol protocols[] = {
    [EMPUSA_PROTOCOL_NONE] = ENTRY_PROTOCOL_NONE,
    [EMPUSA_PROTOCOL_TCP] = ENTRY_PROTOCOL_TCP,
    [EMPUSA_PROTOCOL_UDP] = ENTRY_PROTOCOL_UDP,
};

static bool empusa_registration_has_null(const char *const *texts, size_t count)
{
    bool has_null = count > 0 && !texts;
    for (size_t i = 0; i < count && !has_null; i++)
        has_null = !texts[i];
    return has_null;
}

static bool empusa_registration_is_number(int number)
{
    return number >= -1 && number <= UINT16_MAX;
}

/* What only a program can get wrong: a command line has no NULL. Returns the member; NULL: none. */
static const char *empusa_registration_fault(const struct empusa_service *service, const char **why)
{
    *why = "is NULL";
    if (!service->type)
        return "type";
    if (!service->name)
        return "name";
    if (!service->location)
        return "location";
    if (empusa_registration_has_null(service->txt, service->txt_count))
        return "txt";
    if (empusa_registration_has_null(service->subtypes, service->subtype_count))
        return "subtypes";
    *why = "is neither -1 nor from 0 to 65535";
    if (!empusa_registration_is_number(service->priority))
        return "priority";
    if (!empusa_registration_is_number(service->weight))
        return "weight";
    *why = "is no enum empusa_protocol";
    if ((unsigned)service->protocol > EMPUSA_PROTOCOL_UDP)
        return "protocol";
    *why = "is 0: the entry would outlive a crash for ever";
    return service->ttl_s == 0 ? "ttl_s" : NULL;
}

static int empusa_registration_build(struct empusa *registry, const struct empusa_service *given,
                                     struct empusa_service *service, struct registration *out)
{
    struct fault fault = {.field = REGISTRATION_ENTRY};
    const char *text;
    int code = empusa_caller_copy(registry, service, sizeof(*service), given, SERVICE_SIZE);
    if (code != EMPUSA_OK)
        return code;
    const char *field = empusa_registration_fault(service, &text);
    if (field) {
        (void)detail_set(&fault.why, STATUS_BAD_INPUT, "%s", text);
        return empusa_caller_fail(registry, STATUS_BAD_INPUT, field, NULL, &fault.why);
    }
    const struct registration_fields wanted = {
        .type = service->type,
        .name = service->name,
        .location = service->location,
        .txt = service->txt,
        .txt_count = service->txt_count,
        .subtypes = service->subtypes,
        .subtype_count = service->subtype_count,
        .protocol = protocols[service->protocol],
        .has_priority = service->priority >= 0,
        .has_weight = service->weight >= 0,
        .priority = (uint16_t)(service->priority >= 0 ? service->priority : 0),
        .weight = (uint16_t)(service->weight >= 0 ? service->weight : 0),
        .is_draining = service->is_draining != 0,
    };
    enum status status = registration_build(&registry->root, &wanted, out, &fault);
    if (status == STATUS_OK)
        return EMPUSA_OK;
    return empusa_caller_fail(registry, status, fields[fault.field], fault.value, &fault.why);
}

static struct empusa_registration *empusa_registration_new(struct empusa *registry,
                                                           const struct empusa_service *service,
                                                           const struct kv_key *key)
{
    size_t type_size = strlen(service->type) + 1, name_size = strlen(service->name) + 1;
    struct empusa_registration *registration =
        calloc(1, sizeof(*registration) + type_size + name_size);
    if (!registration)
        return NULL;
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

/* Until its entry is as the program wants it, or will never be. */
static int empusa_registration_wait(struct empusa_registration *registration)
{
    struct empusa *registry = registration->registry;
    struct timespec deadline = empusa_thread_deadline(registration->timeout_ms);
    int error = 0, code = EMPUSA_PENDING;
    pthread_mutex_lock(&registry->lock);
    while (!registration->is_ended && !registration->is_written && error == 0)
        error = pthread_cond_timedwait(&registry->changed, &registry->lock, &deadline);
    if (registration->is_ended)
        code = empusa_caller_fail(registry, registration->status, NULL, NULL, &registration->why);
    else if (registration->is_written)
        code = EMPUSA_OK;
    registration->is_handed_out = !registration->is_ended;
    pthread_mutex_unlock(&registry->lock);
    return code;
}

int empusa_register(struct empusa *registry, const struct empusa_service *service,
                    struct empusa_registration **out)
{
    struct empusa_service own;
    struct registration value;
    int code = empusa_caller_check(registry);
    if (code == EMPUSA_OK)
        code = empusa_registration_build(registry, service, &own, &value);
    if (code != EMPUSA_OK)
        return code;
    struct empusa_registration_call start = {
        .call.run = empusa_registration_start,
        .registration = empusa_registration_new(registry, &own, &value.key),
        .value = &value,
        .status = STATUS_NO_MEMORY};
    if (start.registration)
        empusa_thread_call(registry, &start.call);
    registration_clear(&value);
    if (start.status != STATUS_OK)
        code = empusa_caller_fail(registry, start.status, NULL, NULL, &start.why);
    else
        code = empusa_registration_wait(start.registration);
    if (code <= EMPUSA_OK)
        *out = start.registration;
    else if (start.registration)
        empusa_registration_free(start.registration);
    return code;
}

static int empusa_registration_apply(struct empusa_registration_call *change)
{
    struct empusa_registration *registration = change->registration;
    empusa_thread_call(registration->registry, &change->call);
    if (change->status != STATUS_OK)
        return empusa_caller_fail(registration->registry, change->status, NULL, NULL, &change->why);
    return empusa_registration_wait(registration);
}

/* NULL, or in whose registry it is. */
static struct empusa *empusa_registration_registry(const struct empusa_registration *registration)
{
    return registration ? registration->registry : NULL;
}

static int empusa_registration_match(const struct empusa_registration *registration,
                                     const struct empusa_service *service)
{
    static const struct detail other = {"is not what was registered"};
    const char *field = NULL;
    if (strcmp(service->type, registration->type) != 0)
        field = "type";
    else if (strcmp(service->name, registration->name) != 0)
        field = "name";
    else if (service->ttl_s != registration->ttl_s)
        field = "ttl_s";
    if (!field)
        return EMPUSA_OK;
    return empusa_caller_fail(registration->registry, STATUS_BAD_INPUT, field, NULL, &other);
}

int empusa_update(struct empusa_registration *registration, const struct empusa_service *service)
{
    struct empusa *registry = empusa_registration_registry(registration);
    struct empusa_service own;
    struct registration value;
    int code = empusa_caller_check(registry);
    if (code == EMPUSA_OK)
        code = empusa_registration_build(registry, service, &own, &value);
    if (code != EMPUSA_OK)
        return code;
    code = empusa_registration_match(registration, &own);
    struct empusa_registration_call change = {
        .call.run = empusa_registration_change, .registration = registration, .value = &value};
    if (code == EMPUSA_OK)
        code = empusa_registration_apply(&change);
    registration_clear(&value);
    return code;
}

static int empusa_registration_set_draining(struct empusa_registration *registration,
                                            bool is_draining)
{
    int code = empusa_caller_check(empusa_registration_registry(registration));
    if (code != EMPUSA_OK)
        return code;
    struct empusa_registration_call change = {.call.run = empusa_registration_change,
                                              .registration = registration,
                                              .is_draining = is_draining};
    return empusa_registration_apply(&change);
}

int empusa_drain(struct empusa_registration *registration)
{
    return empusa_registration_set_draining(registration, true);
}

int empusa_undrain(struct empusa_registration *registration)
{
    return empusa_registration_set_draining(registration, false);
}

int empusa_is_registered(const struct empusa_registration *registration)
{
    if (!registration || registration->registry->pid != getpid())
        return 0;
    pthread_mutex_lock(&registration->registry->lock);
    bool is_registered = registration->is_registered;
    pthread_mutex_unlock(&registration->registry->lock);
    return is_registered;
}

int empusa_unregister(struct empusa_registration *registration)
{
    struct empusa *registry = empusa_registration_registry(registration);
    int code = registration ? empusa_caller_check(registry) : EMPUSA_OK;
    if (!registration || code != EMPUSA_OK)
        return code;
    struct empusa_registration_call leave = {.call.run = empusa_registration_leave,
                                             .registration = registration};
    pthread_mutex_lock(&registry->lock);
    bool was_refused = registration->is_ended;
    pthread_mutex_unlock(&registry->lock);
    if (!was_refused)
        empusa_thread_call(registry, &leave.call);
    pthread_mutex_lock(&registry->lock);
    while (!registration->is_ended)
        pthread_cond_wait(&registry->changed, &registry->lock);
    pthread_mutex_unlock(&registry->lock);
    if (!was_refused && registration->status != STATUS_OK)
        code = empusa_caller_fail(registry, registration->status, NULL, NULL, &registration->why);
    empusa_registration_free(registration);
    return code;
}
