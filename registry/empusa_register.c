/* The program's side of a registration: what it gives is checked here, on its own thread, and it
 * waits here. */
#include "empusa.h"
#include "empusa_caller.h"
#include "empusa_registration.h"

#include <unistd.h>

/* Of the first struct empusa_service that there was. */
#define SERVICE_SIZE (offsetof(struct empusa_service, is_draining) + sizeof(int))

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

static bool empusa_register_has_null(const char *const *texts, size_t count)
{
    bool has_null = count > 0 && !texts;
    for (size_t i = 0; i < count && !has_null; i++)
        has_null = !texts[i];
    return has_null;
}

static bool empusa_register_is_number(int number)
{
    return number >= -1 && number <= UINT16_MAX;
}

/* What only a program can get wrong: a command line has no NULL. Returns the member; NULL: none. */
static const char *empusa_register_fault(const struct empusa_service *service, const char **why)
{
    *why = "is NULL";
    if (!service->type)
        return "type";
    if (!service->name)
        return "name";
    if (!service->location)
        return "location";
    if (empusa_register_has_null(service->txt, service->txt_count))
        return "txt";
    if (empusa_register_has_null(service->subtypes, service->subtype_count))
        return "subtypes";
    *why = "is neither -1 nor from 0 to 65535";
    if (!empusa_register_is_number(service->priority))
        return "priority";
    if (!empusa_register_is_number(service->weight))
        return "weight";
    *why = "is no enum empusa_protocol";
    if ((unsigned)service->protocol > EMPUSA_PROTOCOL_UDP)
        return "protocol";
    *why = "is 0: the entry would outlive a crash for ever";
    return service->ttl_s == 0 ? "ttl_s" : NULL;
}

static int empusa_register_build(struct empusa *registry, const struct empusa_service *given,
                                 struct empusa_service *service, struct registration *out)
{
    struct fault fault = {.field = REGISTRATION_ENTRY};
    const char *text;
    /* A copy first: the struct of a program that was built with an older header is shorter. */
    int code = empusa_caller_copy(registry, service, sizeof(*service), given, SERVICE_SIZE);
    if (code != EMPUSA_OK)
        return code;
    const char *field = empusa_register_fault(service, &text);
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

/* Until its entry is as the program wants it, or will never be. */
static int empusa_register_wait(struct empusa_registration *registration)
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
    /* Under the lock, so that each thing is told once: what has happened by now is this call's to
     * return, what comes later is told by events, as the program has the registration then. */
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
        code = empusa_caller_check_given(registry, out != NULL, "out");
    if (code == EMPUSA_OK)
        code = empusa_register_build(registry, service, &own, &value);
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
        code = empusa_register_wait(start.registration);
    /* PENDING, too: then the program has it. Of what was refused the keeper is gone by now, and the
     * program never sees it. */
    if (code <= EMPUSA_OK)
        *out = start.registration;
    else if (start.registration)
        empusa_registration_free(start.registration);
    return code;
}

static int empusa_register_apply(struct empusa_registration_call *change)
{
    struct empusa_registration *registration = change->registration;
    empusa_thread_call(registration->registry, &change->call);
    if (change->status != STATUS_OK)
        return empusa_caller_fail(registration->registry, change->status, NULL, NULL, &change->why);
    return empusa_register_wait(registration);
}

/* As empusa_caller_check(). */
static int empusa_register_check(const struct empusa_registration *registration)
{
    return empusa_caller_check(registration ? registration->registry : NULL);
}

/* These are its key and its lease: with another of them it would be another registration. */
static int empusa_register_match(const struct empusa_registration *registration,
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
    struct empusa_service own;
    struct registration value;
    int code = empusa_register_check(registration);
    if (!registration || code != EMPUSA_OK)
        return code;
    code = empusa_register_build(registration->registry, service, &own, &value);
    if (code != EMPUSA_OK)
        return code;
    code = empusa_register_match(registration, &own);
    struct empusa_registration_call change = {
        .call.run = empusa_registration_change, .registration = registration, .value = &value};
    if (code == EMPUSA_OK)
        code = empusa_register_apply(&change);
    registration_clear(&value);
    return code;
}

static int empusa_register_set_draining(struct empusa_registration *registration, bool is_draining)
{
    int code = empusa_register_check(registration);
    if (!registration || code != EMPUSA_OK)
        return code;
    struct empusa_registration_call change = {.call.run = empusa_registration_change,
                                              .registration = registration,
                                              .is_draining = is_draining};
    return empusa_register_apply(&change);
}

int empusa_drain(struct empusa_registration *registration)
{
    return empusa_register_set_draining(registration, true);
}

int empusa_undrain(struct empusa_registration *registration)
{
    return empusa_register_set_draining(registration, false);
}

int empusa_is_registered(const struct empusa_registration *registration)
{
    /* Not empusa_caller_check(), which callbacks fail: this does not wait for the thread. */
    if (!registration || registration->registry->pid != getpid())
        return 0;
    pthread_mutex_lock(&registration->registry->lock);
    bool is_registered = registration->is_registered;
    pthread_mutex_unlock(&registration->registry->lock);
    return is_registered;
}

int empusa_unregister(struct empusa_registration *registration)
{
    if (!registration)
        return EMPUSA_OK;
    struct empusa *registry = registration->registry;
    int code = empusa_caller_check(registry);
    if (code != EMPUSA_OK)
        return code;
    struct empusa_registration_call leave = {.call.run = empusa_registration_leave,
                                             .registration = registration};
    pthread_mutex_lock(&registry->lock);
    /* Refused after PENDING: there is nothing to leave, and its status is not of this call. */
    bool was_refused = registration->is_ended;
    pthread_mutex_unlock(&registry->lock);
    if (!was_refused)
        empusa_thread_call(registry, &leave.call);
    pthread_mutex_lock(&registry->lock);
    /* Without a deadline: the keeper has one, and ends by it. */
    while (!registration->is_ended)
        pthread_cond_wait(&registry->changed, &registry->lock);
    pthread_mutex_unlock(&registry->lock);
    if (!was_refused && registration->status != STATUS_OK)
        code = empusa_caller_fail(registry, registration->status, NULL, NULL, &registration->why);
    empusa_registration_free(registration);
    return code;
}
