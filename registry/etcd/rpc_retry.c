#include "rpc_state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert((int)RPC_METHODS <= CLIENT_KINDS, "a doubt for each");

#define RPC_RETRY_TOKENS_MAX 4 /* tokens that one rpc may use up */

#define RPC_RETRY_NONSENSE_MAX 3 /* rounds of replies without sense */

/* A part of the answer has been taken, and cannot be taken back: whoever asked begins anew, and then
 * elsewhere, if there is another member. */
static void rpc_retry_give_up(struct rpc *rpc, const char *reason)
{
    member_fail(rpc->member, uv_now(rpc->etcd->loop), STATUS_BAD_REPLY, reason);
    detail_set(&rpc->why, STATUS_BAD_REPLY, "%s: %s", rpc->member->endpoint.url, reason);
    rpc_state_finish(rpc, STATUS_BAD_REPLY);
}

/* What is known to be an etcd may make sense a moment later; but whoever waits shall not wait long
 * for a proxy that never does. */
void rpc_retry_nonsense(struct rpc *rpc)
{
    char reason[sizeof(rpc->member->reason)];
    const char *text = rpc->why.text[0] ? rpc->why.text : status_text(STATUS_BAD_REPLY);
    snprintf(reason, sizeof(reason), "%.*s", (int)sizeof(reason) - 1, text);
    if (!rpc->request.is_idempotent)
        rpc_state_fail_unknown(rpc, reason);
    else if (rpc->request.may_repeat && !rpc->request.may_repeat(rpc->request.arg))
        rpc_retry_give_up(rpc, reason);
    else
        rpc_state_fail(rpc, STATUS_BAD_REPLY, reason,
                       rpc->member->version != 0 && rpc->rounds < RPC_RETRY_NONSENSE_MAX);
}

void rpc_retry_answered(struct rpc *rpc)
{
    enum status status = STATUS_OK;
    rpc->why.text[0] = '\0';
    if (rpc->request.check)
        status = rpc->request.check(rpc->request.arg, rpc->reply.data, rpc->reply.len, &rpc->why);
    if (status == STATUS_BAD_REPLY) {
        rpc_retry_nonsense(rpc);
        return;
    }
    /* What the answer says of a write nobody knows then. */
    if (status == STATUS_NO_MEMORY && !rpc->request.is_idempotent) {
        rpc_state_fail_unknown(rpc, status_text(status));
        return;
    }
    if (status == STATUS_OK) {
        member_mark_up(&rpc->etcd->members, rpc->member);
        auth_trust(&rpc->etcd->auth, rpc->request.method);
    }
    rpc_state_finish(rpc, status);
}

/* It is the answer; the member that gave it is well. */
static void rpc_retry_final(struct rpc *rpc, const struct gateway_reply_error *error)
{
    member_mark_up(&rpc->etcd->members, rpc->member);
    detail_set(&rpc->why, error->status, "%s: %s", rpc->member->endpoint.url, error->message);
    rpc_state_finish(rpc, error->status);
}

static void rpc_retry_permission(struct rpc *rpc, const struct gateway_reply_error *error)
{
    uint64_t now_ms = uv_now(rpc->etcd->loop);
    if (rpc->tokens < RPC_RETRY_TOKENS_MAX &&
        auth_doubt(&rpc->etcd->auth, rpc->request.method, rpc->token, now_ms)) {
        rpc->tokens++;
        rpc_state_set_phase(rpc, RPC_PHASE_PAUSE, 0);
    } else {
        rpc_retry_final(rpc, error);
    }
}

/* An error of etcd about the token or its absence. */
static void rpc_retry_token(struct rpc *rpc, const struct gateway_reply_error *error)
{
    struct client_auth *auth = &rpc->etcd->auth;
    if (error->class == GATEWAY_REPLY_NO_AUTH)
        auth_switch_off(auth);
    else
        auth_forget(auth, rpc->token);
    if (error->class == GATEWAY_REPLY_TOKEN && !auth->user) {
        detail_set(&rpc->why, STATUS_DENIED, "%s: etcd asks for a user and a password (%s)",
                   rpc->member->endpoint.url, error->message);
        rpc_state_finish(rpc, STATUS_DENIED);
    } else if (++rpc->tokens >= RPC_RETRY_TOKENS_MAX) {
        detail_set(&rpc->why, STATUS_DENIED, "%s: %s", rpc->member->endpoint.url, error->message);
        rpc_state_finish(rpc, STATUS_DENIED);
    } else if (rpc->tokens == 2) {
        /* etcd#13134: a member that was added again may refuse what the others take. */
        rpc_state_fail(rpc, STATUS_DENIED, error->message, true);
    } else {
        rpc_state_set_phase(rpc, RPC_PHASE_PAUSE, 0);
    }
}

/* The path does not exist: the member has been replaced by one of another version, or its version
 * could not be asked and /v3 was a guess. */
void rpc_retry_path(struct rpc *rpc, const struct gateway_reply_error *error)
{
    struct member *member = rpc->member;
    if (rpc->has_changed_path) {
        /* etcd 3.4 with --config-file has its gateway off unless the file says otherwise. */
        bool is_etcd = member->version != 0;
        member->prefix = NULL;
        rpc_state_fail(rpc, is_etcd ? STATUS_NO_GATEWAY : STATUS_BAD_REPLY,
                       is_etcd ? status_text(STATUS_NO_GATEWAY) : error->message, false);
        return;
    }
    rpc->has_changed_path = true;
    member->prefix = member->version ? NULL : "/v3beta";
    rpc_state_set_phase(rpc, RPC_PHASE_PAUSE, 0);
}

/* Go's servers and some proxies tell who forgot TLS, in words of their own. */
static bool rpc_retry_needs_tls(const struct rpc *rpc, long http_status)
{
    static const char *const words[] = {"HTTP request to an HTTPS server", "HTTPS port"};
    const struct buffer *reply = &rpc->reply;
    if (http_status != 400 || rpc->member->endpoint.is_https || !reply->data)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (memmem(reply->data, reply->len, words[i], strlen(words[i])))
            return true;
    return false;
}

void rpc_retry_refused(struct rpc *rpc, long http_status)
{
    struct gateway_reply_error error;
    if (rpc_retry_needs_tls(rpc, http_status)) {
        rpc_state_fail(rpc, STATUS_NOT_PLAIN, "the server speaks TLS", false);
        return;
    }
    gateway_reply_error(http_status, rpc->reply.data, rpc->reply.len, &error);
    switch (error.class) {
    case GATEWAY_REPLY_UNDONE:
        /* A 4xx that is not etcd's, mostly a proxy's, will be the same in a moment. */
        rpc_state_fail(rpc, error.status, error.message, error.status == STATUS_UNREACHABLE);
        break;
    case GATEWAY_REPLY_UNKNOWN:
        if (rpc->request.is_idempotent)
            rpc_state_fail(rpc, error.status, error.message, true);
        else
            rpc_state_fail_unknown(rpc, error.message);
        break;
    case GATEWAY_REPLY_TOKEN:
    case GATEWAY_REPLY_NO_AUTH:
        rpc_retry_token(rpc, &error);
        break;
    case GATEWAY_REPLY_PATH:
        rpc_retry_path(rpc, &error);
        break;
    case GATEWAY_REPLY_PERMISSION:
        rpc_retry_permission(rpc, &error);
        break;
    case GATEWAY_REPLY_FINAL:
        rpc_retry_final(rpc, &error);
        break;
    }
}

static bool rpc_retry_is_closed(const struct http_client_result *result)
{
    return result->code == CURLE_GOT_NOTHING || result->code == CURLE_RECV_ERROR;
}

/* etcd over TLS just closes a connection that begins without; so does one that is ending. */
static enum status rpc_retry_kind(const struct rpc *rpc, const struct http_client_result *result)
{
    bool is_stranger = rpc->member->version == 0 && !rpc->member->endpoint.is_https;
    return is_stranger && rpc_retry_is_closed(result) ? STATUS_NOT_PLAIN : result->kind;
}

/* Of a certificate that names another host, whom it had to name: not the one in the message. */
static const char *rpc_retry_reason(const struct rpc *rpc, const struct http_client_result *result,
                                    char *out, size_t size)
{
    const char *domain = rpc->etcd->discovery.domain;
    if (result->kind != STATUS_OTHER_NAME || !rpc->member->connect_to[0])
        return result->why.text;
    snprintf(
        out, size,
        "the certificate does not name %s: found by discovery, it must name that domain, since DNS "
        "alone vouches for the host",
        domain);
    return out;
}

void rpc_retry_broken(struct rpc *rpc, const struct http_client_result *result)
{
    bool was_sent = rpc->phase == RPC_PHASE_SENT && result->was_sent;
    rpc->has_stray |= was_sent;
    /* Some releases of etcd close the connection instead of saying that a token is bad (etcd#15256,
     * #20332). One new token for an rpc: other closed connections have nothing to do with it. */
    if (was_sent && rpc_retry_is_closed(result) && rpc->token && rpc->request.is_idempotent &&
        !rpc->tokens) {
        rpc->tokens++;
        auth_forget(&rpc->etcd->auth, rpc->token);
        rpc_state_set_phase(rpc, RPC_PHASE_PAUSE, 0);
        return;
    }
    if (was_sent && !rpc->request.is_idempotent) {
        rpc_state_fail_unknown(rpc, result->why.text);
        return;
    }
    char reason[sizeof(rpc->member->reason) + 100];
    bool is_connect = result->code == CURLE_COULDNT_CONNECT;
    if (is_connect)
        rpc->member->prefix = NULL; /* what comes back may be another version */
    /* What could not be connected to is worth no second round: a person reads so at once
     * instead. */
    rpc_state_fail(rpc, rpc_retry_kind(rpc, result),
                   rpc_retry_reason(rpc, result, reason, sizeof(reason)),
                   was_sent || result->code == CURLE_OPERATION_TIMEDOUT);
}
