#include "commands.h"

#include "cli/args/session.h"
#include "service_options.h"

/* What is said of each outcome. */
struct lines {
    enum registrar_kind kind;
    const char *changed, *unchanged, *absent;
};

static int service_say(const struct session *session, const char *what)
{
    const struct options *options = &session->call->options;
    log_printf(session->log, LOG_LEVEL_INFO, "service %s (%s) %s",
               options_text(options, OPTION_SERVICE_NAME),
               options_text(options, OPTION_SERVICE_TYPE), what);
    return 0;
}

/* `what` of the service, and with `reason` why. */
static int service_fail(struct session *session, enum status status, const char *what,
                        const struct detail *reason)
{
    const struct options *options = &session->call->options;
    struct detail why;
    detail_set(&why, status, "service %s (%s) %s%s%s", options_text(options, OPTION_SERVICE_NAME),
               options_text(options, OPTION_SERVICE_TYPE), what, reason->text[0] ? ": " : "",
               reason->text);
    return session_report(session->log, status, &why);
}

/* Not BAD_INPUT, which would be the fault of the command line. An entry that is to go and is not
 * there is no failure, so that unregister may be repeated; one that is to be drained has to be
 * there. */
static int service_conclude(struct session *session, const struct lines *lines,
                            enum registrar_outcome outcome)
{
    switch (outcome) {
    case REGISTRAR_ABSENT:
        if (lines->absent)
            return service_say(session, lines->absent);
        return service_fail(session, STATUS_NOT_FOUND, "is not registered", &session->why);
    case REGISTRAR_UNFIT:
        return service_fail(session, STATUS_BAD_REPLY, "has a value that cannot be changed",
                            &session->why);
    case REGISTRAR_UNCHANGED:
        return service_say(session, lines->unchanged);
    default:
        return service_say(session, lines->changed);
    }
}

static int service_change(struct session *session, void *arg)
{
    const struct lines *lines = arg;
    struct kv_key key;
    const struct registrar_change change = {.kind = lines->kind, .key = &key};
    enum registrar_outcome outcome;
    enum status status =
        service_options_key(&session->call->options, &session->root, &key, &session->why);
    if (status == STATUS_OK)
        status = session_change(session, &change, &outcome);
    if (status == STATUS_CONFLICT)
        return service_fail(session, status, "is changed by others all the time",
                            &(struct detail){""});
    return status == STATUS_OK ? service_conclude(session, lines, outcome)
                               : session_fail(session, status);
}

int service_unregister(struct call *call)
{
    return session_run(call, service_change,
                       &(struct lines){REGISTRAR_REMOVE, .changed = "unregistered",
                                       .absent = "already unregistered"});
}

int service_drain(struct call *call)
{
    return session_run(call, service_change,
                       &(struct lines){REGISTRAR_DRAIN, .changed = "is draining",
                                       .unchanged = "is draining already"});
}

int service_undrain(struct call *call)
{
    return session_run(
        call, service_change,
        &(struct lines){REGISTRAR_UNDRAIN, .changed = "is up again", .unchanged = "is up already"});
}
