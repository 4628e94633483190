#include "session.h"

#include "connect.h"
#include "registry/base/buffer.h"
#include "registry/net/loop.h"

#include <stdlib.h>

/* What a person may do about it, in the names of options: the libraries that report these know
 * none. */
static const char *const advice[STATUS_COUNT] = {
    [STATUS_UNREACHABLE] = "is etcd running there? See --etcd-endpoint",
    [STATUS_NOT_PLAIN] =
        "if etcd speaks TLS there: --etcd-protocol https, or https:// before the endpoint",
    [STATUS_NOT_TLS] =
        "if etcd speaks no TLS there: --etcd-protocol http, or http:// before the endpoint",
    [STATUS_UNTRUSTED] = "--ca-bundle names the file of the authority that signed it",
    [STATUS_OUT_OF_DATE] = "renew etcd's certificate, or set this machine's clock",
    [STATUS_OTHER_NAME] =
        "--etcd-endpoint, or --etcd-discovery-srv, has to be a name in the certificate",
    [STATUS_CLIENT_CERT] = "see --etcd-cert and --etcd-key",
    [STATUS_NO_GATEWAY] = "etcd's --config-file needs the line enable-grpc-gateway: true",
    [STATUS_UNRESOLVED] = "see /etc/resolv.conf, and --etcd-endpoint or --etcd-discovery-srv",
    [STATUS_TIMED_OUT] = "try again, or see --etcd-timeout",
    [STATUS_DENIED] = "see --etcd-user, --etcd-password-file and the roles of that user",
    [STATUS_NO_SPACE] = "compact and defragment etcd, then disarm its alarm",
    [STATUS_BAD_REPLY] = "is it etcd that listens there?",
    [STATUS_CONFLICT] = "try again",
};

/* It is being tried again, so that is no advice. */
const char *session_outage_advice(enum status status)
{
    if (status == STATUS_TIMED_OUT)
        status = STATUS_UNREACHABLE;
    return advice[status] && status != STATUS_CONFLICT ? advice[status] : "";
}

int session_report(const struct log *log, enum status status, const struct detail *why)
{
    const char *text = why->text[0] ? why->text : status_text(status);
    if (advice[status])
        log_printf(log, LOG_LEVEL_ERROR, "%s (%s)", text, advice[status]);
    else
        log_printf(log, LOG_LEVEL_ERROR, "%s", text);
    return status_exit(status);
}

int session_fail(const struct session *session, enum status status)
{
    return session_report(session->log, status, &session->why);
}

enum status session_loop_init(uv_loop_t *loop, struct detail *why)
{
    int error = loop_init(loop);
    return error ? detail_set(why, STATUS_SYSTEM, "event loop: %s", uv_strerror(error)) : STATUS_OK;
}

enum status session_open(struct session *session, const struct call *call)
{
    *session = (struct session){.call = call, .log = &call->log};
    /* Before the loop, so that a wrong root leaves nothing to be closed. */
    const char *root = options_text(&call->options, OPTION_TREE_ROOT);
    enum status status = key_root_parse(root, &session->root, &session->why);
    if (status != STATUS_OK)
        options_fault(&call->options, OPTION_TREE_ROOT, root, &session->why);
    else
        status = session_loop_init(&session->loop, &session->why);
    if (status != STATUS_OK) {
        session_fail(session, status);
        return status;
    }
    status =
        connect_open(&session->loop, &call->options, &call->log, &session->etcd, &session->why);
    if (status != STATUS_OK) {
        session_fail(session, status);
        session_close(session);
    }
    return status;
}

/* May come twice: whoever has handles on its own stack disconnects before it returns,
 * session_close() does again. */
void session_disconnect(struct session *session)
{
    etcd_close(session->etcd);
    session->etcd = NULL;
    while (uv_run(&session->loop, UV_RUN_DEFAULT)) /* a uv_stop() may be left from before */
        continue;
}

void session_close(struct session *session)
{
    session_disconnect(session);
    uv_loop_close(&session->loop);
}

int session_run(const struct call *call, session_use *use, void *arg)
{
    struct session session;
    enum status status = session_open(&session, call);
    if (status != STATUS_OK)
        return status_exit(status);
    int exit_status = use(&session, arg);
    session_close(&session);
    return exit_status;
}

/* Not until the loop is empty: the client keeps its connections, and their timers, for the next
 * call. It may have ended already, from inside the call that began it (kv.h). */
enum status session_wait(struct session *session)
{
    while (!session->is_done)
        uv_run(&session->loop, UV_RUN_ONCE);
    session->is_done = false;
    return session->status;
}

void session_end_wait(struct session *session, enum status status, const struct detail *why)
{
    /* Copied: it is the caller's for this call alone. */
    session->status = status;
    session->why = *why;
    session->is_done = true;
}

struct get {
    struct session *session;
    struct session_value found;
    bool is_short; /* of memory: that ends the reading with CANCELLED */
};

static bool session_get_each(void *arg, const struct kv *kv)
{
    struct get *get = arg;
    struct session_value *out = &get->found;
    /* Borrowed until this returns. */
    out->text = buffer_copy(kv->value, kv->value_len);
    get->is_short = !out->text;
    if (get->is_short)
        return false;
    out->len = kv->value_len;
    out->is_cut = kv->is_value_cut;
    return true;
}

static void session_get_done(void *arg, enum status status, const struct kv_range_result *result,
                             const struct detail *why)
{
    struct get *get = arg;
    (void)result;
    session_end_wait(get->session, status, why);
}

enum status session_get(struct session *session, const struct kv_key *key,
                        struct session_value *out)
{
    struct get get = {.session = session};
    struct kv_range range = {.key = key->text, .key_len = key->len};
    kv_range(session->etcd, &range, session_get_each, session_get_done, &get);
    enum status status = session_wait(session);
    if (get.is_short)
        status = detail_set(&session->why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    if (status == STATUS_OK)
        *out = get.found;
    else
        free(get.found.text);
    return status;
}

struct change {
    struct session *session;
    enum registrar_outcome outcome;
};

static void session_change_done(void *arg, enum status status, enum registrar_outcome outcome,
                                const struct detail *why)
{
    struct change *change = arg;
    change->outcome = outcome;
    session_end_wait(change->session, status, why);
}

enum status session_change(struct session *session, const struct registrar_change *change,
                           enum registrar_outcome *outcome)
{
    struct change wait = {.session = session};
    enum status status = registrar_start(session->etcd, change, session_change_done, &wait);
    if (status != STATUS_OK)
        return detail_set(&session->why, status, "%s", status_text(status));
    status = session_wait(session);
    if (status == STATUS_OK)
        *outcome = wait.outcome;
    return status;
}
