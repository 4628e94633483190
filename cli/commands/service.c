#include "service.h"

#include "cli/args/session.h"
#include "cli/text/output.h"
#include "keeper.h"
#include "put.h"
#include "register_from.h"
#include "registration.h"
#include "registry/entry_state.h"

#include <stdlib.h>

#define DRAIN_TRIES 8 /* another process changed the entry in between */

static void service_say(const struct session *session, const struct registration_id *id,
                        const char *what)
{
    log_printf(session->log, LOG_LEVEL_INFO, "service %s (%s) %s", id->name, id->type, what);
}

static void service_warn_unspecified(const struct session *session, const struct options *options)
{
    log_printf(session->log, LOG_LEVEL_WARNING,
               "--service-location \"%s\": an address to listen at, nobody can connect to it",
               options_text(options, OPTION_SERVICE_LOCATION));
}

static int service_register_once(struct session *session, const struct registration *registration)
{
    enum status status = put_key(session, &registration->id.key, registration->value,
                                 registration->value_len, registration->ttl_s, true);
    if (status != STATUS_OK)
        return session_fail(session, status);
    service_say(session, &registration->id, "registered");
    return 0;
}

static int service_keep(struct session *session, const struct registration *registration)
{
    output_begin(&session->loop);
    int exit_status = keeper_run(session, registration);
    output_end();
    return exit_status;
}

int service_register(struct call *call)
{
    struct session session;
    struct registration registration;
    if (options_has(&call->options, OPTION_SERVICE_FROM))
        return register_from_run(call);
    enum status status = session_open(&session, call);
    if (status != STATUS_OK)
        return status_exit(status);
    status = registration_read(&call->options, &session.root, &registration, &session.why);
    int exit_status;
    if (status != STATUS_OK) {
        exit_status = session_fail(&session, status);
    } else {
        if (registration.is_unspecified)
            service_warn_unspecified(&session, &call->options);
        if (registration.refresh_s > 0)
            exit_status = service_keep(&session, &registration);
        else
            exit_status = service_register_once(&session, &registration);
        registration_clear(&registration);
    }
    session_close(&session);
    return exit_status;
}

static int service_run_unregister(struct session *session, const struct registration_id *id)
{
    bool was_there;
    enum status status = put_nothing(session, &id->key, &was_there);
    if (status != STATUS_OK)
        return session_fail(session, status);
    service_say(session, id, was_there ? "unregistered" : "already unregistered");
    return 0;
}

/* OK: done, or nothing to do; *is_changed says which. CONFLICT: try again. */
static enum status service_try_state(struct session *session, const struct registration_id *id,
                                     bool is_draining, bool *is_changed)
{
    struct session_kv kv = {0};
    struct put_change change = {.value = NULL};
    char *value = NULL;
    size_t value_len = 0;
    enum status status = session_get(session, &id->key, &kv);
    if (status == STATUS_OK && !kv.is_there)
        status = detail_set(&session->why, STATUS_NOT_FOUND, "service %s (%s) is not registered",
                            id->name, id->type);
    if (status != STATUS_OK)
        return status;
    status =
        entry_state_set(kv.value, kv.value_len, is_draining, &value, &value_len, &session->why);
    *is_changed = status != STATUS_CONFLICT;
    if (status == STATUS_CONFLICT) {
        /* Written again all the same: what was given up before this and is still on its way finds
         * that the entry has changed. */
        change = (struct put_change){kv.value, kv.value_len, kv.lease, false};
        status = put_change(session, &id->key, &change, &kv);
    } else if (status != STATUS_OK) {
        /* Not the fault of the command line. */
        status =
            detail_wrap(&session->why, STATUS_BAD_REPLY,
                        "service %s (%s) has a value that cannot be changed", id->name, id->type);
    } else {
        change = (struct put_change){value, value_len, kv.lease, false};
        status = put_change(session, &id->key, &change, &kv);
    }
    if (status == STATUS_CONFLICT)
        detail_set(&session->why, status, "service %s (%s) is changed by others all the time",
                   id->name, id->type);
    free(value);
    session_kv_clear(&kv);
    return status;
}

static int service_set_state(struct session *session, const struct registration_id *id,
                             bool is_draining)
{
    enum status status = STATUS_CONFLICT;
    bool is_changed = false;
    for (int i = 0; status == STATUS_CONFLICT && i < DRAIN_TRIES; i++)
        status = service_try_state(session, id, is_draining, &is_changed);
    if (status != STATUS_OK)
        return session_fail(session, status);
    if (is_changed)
        service_say(session, id, is_draining ? "is draining" : "is up again");
    else
        service_say(session, id, is_draining ? "is draining already" : "is up already");
    return 0;
}

static int service_run_drain(struct session *session, const struct registration_id *id)
{
    return service_set_state(session, id, true);
}

static int service_run_undrain(struct session *session, const struct registration_id *id)
{
    return service_set_state(session, id, false);
}

/* A command that needs to know which service, and nothing more. */
static int service_with_id(struct call *call,
                           int (*run)(struct session *session, const struct registration_id *id))
{
    struct session session;
    struct registration_id id;
    enum status status = session_open(&session, call);
    if (status != STATUS_OK)
        return status_exit(status);
    status = registration_identify(&call->options, &session.root, &id, &session.why);
    int exit_status = status == STATUS_OK ? run(&session, &id) : session_fail(&session, status);
    session_close(&session);
    return exit_status;
}

int service_unregister(struct call *call)
{
    return service_with_id(call, service_run_unregister);
}

int service_drain(struct call *call)
{
    return service_with_id(call, service_run_drain);
}

int service_undrain(struct call *call)
{
    return service_with_id(call, service_run_undrain);
}
