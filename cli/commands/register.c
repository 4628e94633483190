#include "commands.h"

#include "cli/args/reread.h"
#include "cli/args/session.h"
#include "cli/process/ending.h"
#include "cli/process/sd_notify.h"
#include "cli/text/output.h"
#include "service_options.h"

#include "registry/keeper.h"

#include <inttypes.h>

#define MS_PER_S 1000

/* What is registered, and how it goes on. */
struct registering {
    struct session *session;
    const struct options *options;
    const char *name, *type; /* of the service */
    struct registration registration;
    struct keeper *keeper;
    struct ending ending;
    struct sd_notify notify;
    struct reread reread;
    uint64_t beat_ms;   /* when the next beat is due */
    uint64_t outage_ms; /* when the beat began that failed first; 0 = all is well */
    bool is_ending;
    int exit_status;
};

static void register_say(const struct registering *registering, enum log_level level,
                         const char *what)
{
    log_printf(registering->session->log, level, "service %s (%s) %s", registering->name,
               registering->type, what);
}

static uint64_t register_now_ms(const struct registering *registering)
{
    return uv_now(&registering->session->loop);
}

static void register_tell_outage(struct registering *registering, enum status status,
                                 const struct detail *why)
{
    reread_begin(&registering->reread);
    const char *advice = session_outage_advice(status);
    uint64_t now_ms = register_now_ms(registering);
    /* Silence is known to be one only when the request's time is over. */
    if (registering->outage_ms == 0)
        registering->outage_ms = registering->beat_ms < now_ms ? registering->beat_ms : now_ms;
    log_printf(registering->session->log, LOG_LEVEL_WARNING,
               "service %s (%s): %s%s%s (trying again)", registering->name, registering->type,
               why->text, *advice ? "; " : "", advice);
}

static void register_tell_recovery(struct registering *registering)
{
    const struct session *session = registering->session;
    uint64_t lasted_ms = register_now_ms(registering) - registering->outage_ms;
    reread_end(&registering->reread);
    log_printf(session->log, LOG_LEVEL_INFO,
               "etcd answers again after %" PRIu64 ".%" PRIu64 " s: %s", lasted_ms / MS_PER_S,
               lasted_ms % MS_PER_S / 100, etcd_last_endpoint(session->etcd));
    registering->outage_ms = 0;
}

static void register_say_not_unregistered(struct registering *registering, const char *reason)
{
    bool has_ttl = options_number(registering->options, OPTION_SERVICE_TTL) > 0;
    log_printf(registering->session->log, LOG_LEVEL_ERROR,
               "service %s (%s) could not be unregistered: %s (%s)", registering->name,
               registering->type, reason,
               has_ttl ? "it goes when its TTL is over" : "unregister it when etcd is back");
    registering->exit_status = 1;
}

/* The loop does not end with the keeper: the signals and the client's connections would keep it
 * turning. */
static void register_end(struct registering *registering)
{
    keeper_free(registering->keeper);
    registering->keeper = NULL;
    uv_stop(&registering->session->loop);
}

static void register_on_event(void *arg, enum keeper_event event, enum status status,
                              const struct detail *why)
{
    /* A beat is for DEBUG: it would be most of the log. A change by another process is a warning,
     * as two that register the same service write over each other at every beat. */
    static const struct {
        enum log_level level;
        const char *what;
    } lines[] = {
        [KEEPER_REGISTERED] = {LOG_LEVEL_INFO, "registered"},
        [KEEPER_REFRESHED] = {LOG_LEVEL_DEBUG, "refreshed"},
        [KEEPER_UPDATED] = {LOG_LEVEL_DEBUG, "refreshed"},
        [KEEPER_VANISHED] = {LOG_LEVEL_INFO, "had vanished: putting it back"},
        [KEEPER_CHANGED] = {LOG_LEVEL_WARNING, "was changed by another process: putting it back"},
        [KEEPER_DRAINING] = {LOG_LEVEL_INFO, "is draining"},
        [KEEPER_UP] = {LOG_LEVEL_INFO, "is up again"},
        [KEEPER_LEASE_LOST] = {LOG_LEVEL_INFO, "lost its lease: asking for another"},
        [KEEPER_UNREGISTERED] = {LOG_LEVEL_INFO, "unregistered"},
        [KEEPER_ALREADY_UNREGISTERED] = {LOG_LEVEL_INFO, "already unregistered"},
        [KEEPER_LEFT_ALONE] = {LOG_LEVEL_WARNING, "was changed by another process: left as it is"},
        [KEEPER_ENDED] = {LOG_LEVEL_DEBUG, NULL},
    };
    struct registering *registering = arg;
    const struct session *session = registering->session;
    if (event == KEEPER_OUTAGE)
        register_tell_outage(registering, status, why);
    else if (event == KEEPER_RECOVERED)
        register_tell_recovery(registering);
    else if (event == KEEPER_REFUSED)
        registering->exit_status = session_report(session->log, status, why);
    else if (event == KEEPER_NOT_UNREGISTERED)
        register_say_not_unregistered(registering, why->text);
    else if (event == KEEPER_ENDED)
        register_end(registering);
    else
        register_say(registering, lines[event].level, lines[event].what);
    if (event == KEEPER_REGISTERED || event == KEEPER_REFRESHED || event == KEEPER_UPDATED)
        registering->beat_ms =
            register_now_ms(registering) +
            options_number(registering->options, OPTION_SERVICE_REFRESH) * MS_PER_S;
    if (event == KEEPER_REGISTERED)
        sd_notify_ready(&registering->notify);
}

/* The first signal asks etcd to forget the service, and waits for that as long as KEEPER_LEAVE_MS;
 * the second waits for nothing. Without a TTL, what is not unregistered then stays for ever: so it
 * is said. */
static void register_on_ending(void *arg)
{
    struct registering *registering = arg;
    if (!registering->keeper) /* it has ended, and the loop is about to */
        return;
    if (!registering->is_ending) {
        registering->is_ending = true;
        sd_notify_stopping(&registering->notify);
        keeper_stop(registering->keeper, KEEPER_LEAVE_MS);
        return;
    }
    if (keeper_may_be_registered(registering->keeper))
        register_say_not_unregistered(registering, "a second signal came");
    register_end(registering);
}

/* Until a signal, or until etcd refuses the first registration: an outage does not end it. */
static enum status register_keep(struct registering *registering)
{
    struct session *session = registering->session;
    const struct registration *registration = &registering->registration;
    struct keeper_options options = {
        .etcd = session->etcd,
        .loop = &session->loop,
        .key = registration->key.text,
        .key_len = registration->key.len,
        .value = registration->value,
        .value_len = registration->value_len,
        .ttl_s = options_number(registering->options, OPTION_SERVICE_TTL),
        .refresh_ms = options_number(registering->options, OPTION_SERVICE_REFRESH) * MS_PER_S,
        .on_event = register_on_event,
        .arg = registering,
    };
    registering->beat_ms = register_now_ms(registering);
    enum status status = keeper_new(&options, &registering->keeper);
    if (status != STATUS_OK)
        return detail_set(&session->why, status, "%s", status_text(status));
    /* From here on a reader that has stopped reading may not hold up the renewals of the lease. */
    output_begin(&session->loop);
    sd_notify_start(&registering->notify, &session->loop);
    reread_start(&registering->reread, &session->loop, registering->options, session->log,
                 session->etcd);
    ending_start(&registering->ending, &session->loop, register_on_ending, registering);
    uv_run(&session->loop, UV_RUN_DEFAULT);
    ending_stop(&registering->ending);
    reread_stop(&registering->reread);
    sd_notify_stop(&registering->notify);
    /* Not left to session_close(): the handles of the signals are in *registering, which ends
     * sooner. The client's last lines still go out. */
    session_disconnect(session);
    output_end();
    return STATUS_OK;
}

/* Done again before its TTL is over, by a timer for instance, it renews the lease that the first
 * one left (registrar.h). */
static enum status register_once(struct registering *registering)
{
    const struct registration *registration = &registering->registration;
    const struct registrar_change change = {
        .kind = REGISTRAR_REGISTER,
        .key = &registration->key,
        .value = registration->value,
        .value_len = registration->value_len,
        .ttl_s = options_number(registering->options, OPTION_SERVICE_TTL)};
    enum registrar_outcome outcome;
    enum status status = session_change(registering->session, &change, &outcome);
    if (status == STATUS_OK)
        register_say(registering, LOG_LEVEL_INFO, "registered");
    return status;
}

static int register_service(struct session *session, void *arg)
{
    const struct options *options = &session->call->options;
    struct registering registering = {.session = session,
                                      .options = options,
                                      .name = options_text(options, OPTION_SERVICE_NAME),
                                      .type = options_text(options, OPTION_SERVICE_TYPE)};
    (void)arg;
    enum status status =
        service_options_read(options, &session->root, &registering.registration, &session->why);
    if (status != STATUS_OK)
        return session_fail(session, status);
    if (registering.registration.is_unspecified)
        log_printf(session->log, LOG_LEVEL_WARNING,
                   "--service-location \"%s\": an address to listen at, nobody can connect to it",
                   options_text(options, OPTION_SERVICE_LOCATION));
    if (options_number(options, OPTION_SERVICE_REFRESH) > 0)
        status = register_keep(&registering);
    else
        status = register_once(&registering);
    registration_clear(&registering.registration);
    return status == STATUS_OK ? registering.exit_status : session_fail(session, status);
}

int register_run(struct call *call)
{
    if (options_has(&call->options, OPTION_SERVICE_FROM))
        return register_from_run(call);
    return session_run(call, register_service, NULL);
}
