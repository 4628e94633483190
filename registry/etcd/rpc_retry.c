#include "auth.h"
#include "rpc_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert((int)CALL_METHODS <= CLIENT_KINDS, "a doubt for each");

#define CALL_OUTCOME_TOKENS_MAX 4 /* tokens that one call may use up */

#define CALL_OUTCOME_NONSENSE_MAX 3 /* rounds of replies without sense */

/* What is known to be an etcd may make sense a moment later; but whoever waits shall not wait long
 * for a proxy that never does. */
void call_outcome_nonsense(struct call *call)
{
    char reason[sizeof(call->member->reason)];
    const char *text = call->why.text[0] ? call->why.text : status_text(STATUS_BAD_REPLY);
    snprintf(reason, sizeof(reason), "%.*s", (int)sizeof(reason) - 1, text);
    if (call->request.is_idempotent)
        call_fail(call, STATUS_BAD_REPLY, reason,
                  call->member->version != 0 && call->rounds < CALL_OUTCOME_NONSENSE_MAX);
    else
        call_lose(call, reason);
}

void call_outcome_answered(struct call *call)
{
    enum status status = STATUS_OK;
    call->why.text[0] = '\0';
    if (call->request.check)
        status =
            call->request.check(call->request.arg, call->reply.data, call->reply.len, &call->why);
    if (status == STATUS_BAD_REPLY) {
        call_outcome_nonsense(call);
        return;
    }
    if (status == STATUS_OK) {
        member_succeed(&call->etcd->members, call->member);
        auth_trust(&call->etcd->auth, call->request.method);
    }
    call_finish(call, status);
}

/* It is the answer. */
static void call_outcome_final(struct call *call, const struct reply_error *error)
{
    member_succeed(&call->etcd->members, call->member);
    detail_set(&call->why, error->status, "%s: %s", call->member->endpoint.url, error->message);
    call_finish(call, error->status);
}

static void call_outcome_permission(struct call *call, const struct reply_error *error)
{
    uint64_t now_ms = uv_now(call->etcd->loop);
    if (call->tokens < CALL_OUTCOME_TOKENS_MAX &&
        auth_doubt(&call->etcd->auth, call->request.method, call->token, now_ms)) {
        call->tokens++;
        call_arm(call, CALL_PHASE_PAUSE, 0);
    } else {
        call_outcome_final(call, error);
    }
}

/* An error of etcd about the token or its absence. */
static void call_outcome_token(struct call *call, const struct reply_error *error)
{
    struct client_auth *auth = &call->etcd->auth;
    if (error->class == REPLY_NO_AUTH)
        auth_switch_off(auth);
    else
        auth_forget(auth, call->token);
    if (error->class == REPLY_TOKEN && !auth->user) {
        detail_set(&call->why, STATUS_DENIED, "%s: etcd asks for a user and a password (%s)",
                   call->member->endpoint.url, error->message);
        call_finish(call, STATUS_DENIED);
    } else if (++call->tokens >= CALL_OUTCOME_TOKENS_MAX) {
        detail_set(&call->why, STATUS_DENIED, "%s: %s", call->member->endpoint.url, error->message);
        call_finish(call, STATUS_DENIED);
    } else if (call->tokens == 2) {
        /* etcd#13134: a member that was added again may refuse what the others take. */
        call_fail(call, STATUS_DENIED, error->message, true);
    } else {
        call_arm(call, CALL_PHASE_PAUSE, 0);
    }
}

/* The path does not exist: the member has been replaced by one of another version, or its version
 * could not be asked and /v3 was a guess. */
static void call_outcome_path(struct call *call, const struct reply_error *error)
{
    struct member *member = call->member;
    if (call->has_changed_path) {
        /* etcd 3.4 with --config-file has its gateway off unless the file says otherwise. */
        bool is_etcd = member->version != 0;
        member->prefix = NULL;
        call_fail(call, is_etcd ? STATUS_NO_GATEWAY : STATUS_BAD_REPLY,
                  is_etcd ? status_text(STATUS_NO_GATEWAY) : error->message, false);
        return;
    }
    call->has_changed_path = true;
    member->prefix = member->version ? NULL : "/v3beta";
    call_arm(call, CALL_PHASE_PAUSE, 0);
}

/* Go's servers and some proxies tell who forgot TLS, in words of their own. */
static bool call_outcome_needs_tls(const struct call *call, long http_status)
{
    static const char *const words[] = {"HTTP request to an HTTPS server", "HTTPS port"};
    const struct buffer *reply = &call->reply;
    if (http_status != 400 || call->member->endpoint.is_https || !reply->data)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (memmem(reply->data, reply->len, words[i], strlen(words[i])))
            return true;
    return false;
}

void call_outcome_refused(struct call *call, long http_status)
{
    struct reply_error error;
    if (call_outcome_needs_tls(call, http_status)) {
        call_fail(call, STATUS_NOT_PLAIN, "the server speaks TLS", false);
        return;
    }
    reply_error(http_status, call->reply.data, call->reply.len, &error);
    switch (error.class) {
    case REPLY_UNDONE:
        call_fail(call, error.status, error.message, error.status == STATUS_UNREACHABLE);
        break;
    case REPLY_UNKNOWN:
        if (call->request.is_idempotent)
            call_fail(call, error.status, error.message, true);
        else
            call_lose(call, error.message);
        break;
    case REPLY_TOKEN:
    case REPLY_NO_AUTH:
        call_outcome_token(call, &error);
        break;
    case REPLY_PATH:
        call_outcome_path(call, &error);
        break;
    case REPLY_PERMISSION:
        call_outcome_permission(call, &error);
        break;
    case REPLY_FINAL:
        call_outcome_final(call, &error);
        break;
    }
}

static bool call_outcome_is_closed(const struct http_result *result)
{
    return result->code == CURLE_GOT_NOTHING || result->code == CURLE_RECV_ERROR;
}

/* etcd over TLS just closes a connection that begins without; so does one that is ending. */
static enum status call_outcome_kind(const struct call *call, const struct http_result *result)
{
    bool is_stranger = call->member->version == 0 && !call->member->endpoint.is_https;
    return is_stranger && call_outcome_is_closed(result) ? STATUS_NOT_PLAIN : result->kind;
}

/* Of a certificate that names another host, whom it had to name: not the one in the message. */
static const char *call_outcome_reason(const struct call *call, const struct http_result *result,
                                       char *out, size_t size)
{
    const char *domain = call->etcd->discovery.domain;
    if (result->kind != STATUS_OTHER_NAME || !call->member->connect_to[0])
        return result->text;
    snprintf(
        out, size,
        "the certificate does not name %s: found by discovery, it must name that domain, since DNS "
        "alone vouches for the host",
        domain);
    return out;
}

void call_outcome_broken(struct call *call, const struct http_result *result)
{
    bool was_sent = call->phase == CALL_PHASE_SENT && result->was_sent;
    /* Some releases of etcd close the connection instead of saying that a token is bad. */
    if (was_sent && call_outcome_is_closed(result) && call->token && call->request.is_idempotent &&
        !call->tokens) {
        call->tokens++;
        auth_forget(&call->etcd->auth, call->token);
        call_arm(call, CALL_PHASE_PAUSE, 0);
        return;
    }
    if (was_sent && !call->request.is_idempotent) {
        call_lose(call, result->text);
        return;
    }
    char reason[sizeof(call->member->reason) + 100];
    bool is_connect = result->code == CURLE_COULDNT_CONNECT;
    if (is_connect)
        call->member->prefix = NULL; /* what comes back may be another version */
    call_fail(call, call_outcome_kind(call, result),
              call_outcome_reason(call, result, reason, sizeof(reason)),
              was_sent || result->code == CURLE_OPERATION_TIMEDOUT);
}
