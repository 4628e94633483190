#include "commands.h"

#include "cli/args/session.h"
#include "service_options.h"

/* What is said of each outcome. */
struct lines {
    enum registrar_kind kind;
    const char *changed, *unchanged, *absent;
};

static int service_say(const struct session *session, const struct options *options,
                       const char *what)
{
    log_printf(session->log, LOG_LEVEL_INFO, "service %s (%s) %s",
               options_text(options, OPTION_SERVICE_NAME),
               options_text(options, OPTION_SERVICE_TYPE), what);
    return 0;
}

/* `what` of the service, and with `reason` why. */
static int service_fail(struct session *session, const struct options *options, enum status status,
                        const char *what)
{
    struct detail reason = session->why;
    detail_set(
        &session->why, status, "service %s (%s) %s%s%s", options_text(options, OPTION_SERVICE_NAME),
        options_text(options, OPTION_SERVICE_TYPE), what, reason.text[0] ? ": " : "", reason.text);
    return session_fail(session, status);
}

/* Not BAD_INPUT, which would be the fault of the command line. */
static int service_conclude(struct session *session, const struct options *options,
                            const struct lines *lines, enum registrar_outcome outcome)
{
    switch (outcome) {
    case REGISTRAR_ABSENT:
        if (lines->absent)
            return service_say(session, options, lines->absent);
        return service_fail(session, options, STATUS_NOT_FOUND, "is not registered");
    case REGISTRAR_UNFIT:
        return service_fail(session, options, STATUS_BAD_REPLY,
                            "has a value that cannot be changed");
    case REGISTRAR_UNCHANGED:
        return service_say(session, options, lines->unchanged);
    default:
        return service_say(session, options, lines->changed);
    }
}

static int service_set_state(struct session *session, const struct options *options,
                             const struct lines *lines)
{
    struct kv_key key;
    const struct registrar_change change = {.kind = lines->kind, .key = &key};
    enum registrar_outcome outcome;
    enum status status = service_options_key(options, &session->root, &key, &session->why);
    if (status == STATUS_OK)
        status = session_change(session, &change, &outcome);
    if (status == STATUS_CONFLICT) {
        session->why = (struct detail){""};
        return service_fail(session, options, status, "is changed by others all the time");
    }
    if (status != STATUS_OK)
        return session_fail(session, status);
    return service_conclude(session, options, lines, outcome);
}

static int service_run(struct call *call, const struct lines *lines)
{
    struct session session;
    enum status status = session_open(&session, call);
    if (status != STATUS_OK)
        return status_exit(status);
    int exit_status = service_set_state(&session, &call->options, lines);
    session_close(&session);
    return exit_status;
}

int service_unregister(struct call *call)
{
    return service_run(call, &(struct lines){REGISTRAR_REMOVE, .changed = "unregistered",
                                             .absent = "already unregistered"});
}

int service_drain(struct call *call)
{
    return service_run(call, &(struct lines){REGISTRAR_DRAIN, .changed = "is draining",
                                             .unchanged = "is draining already"});
}

int service_undrain(struct call *call)
{
    return service_run(call, &(struct lines){REGISTRAR_UNDRAIN, .changed = "is up again",
                                             .unchanged = "is up already"});
}
