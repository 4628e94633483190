#include "rpc_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RPC_SEND_BUFFER_LEN (256U << 10) /* for answers that are long */
#define RPC_SEND_PIECE      (16U << 10)

/* The reply could not be kept: what it says of a write nobody knows. */
static void rpc_send_lost_reply(struct rpc *rpc)
{
    enum status status = rpc->reply.status;
    const char *reason = status == STATUS_TOO_LARGE ? "the reply is too long" : status_text(status);
    if (!rpc->request.is_idempotent) {
        rpc_state_fail_unknown(rpc, reason);
        return;
    }
    detail_set(&rpc->why, status, "%s: %s", rpc->member->endpoint.url, reason);
    rpc_state_finish(rpc, status);
}

static void rpc_send_on_done(void *arg, const struct http_client_result *result)
{
    struct rpc *rpc = arg;
    rpc->http = NULL;
    uv_timer_stop(&rpc->timer);
    if (rpc->data_status == STATUS_BAD_REPLY)
        rpc_retry_nonsense(rpc);
    else if (rpc->data_status != STATUS_OK)
        rpc_state_finish(rpc, rpc->data_status);
    else if (rpc->reply.status != STATUS_OK)
        rpc_send_lost_reply(rpc);
    else if (result->code != CURLE_OK)
        rpc_retry_broken(rpc, result);
    else if (result->status != 200)
        rpc_retry_refused(rpc, result->status);
    else
        rpc_retry_answered(rpc);
}

/* A piece of an answer gives it all its time again, unless it comes by drops: what a proxy trickles
 * to keep a connection alive would be waited for without end. */
static void rpc_send_extend(struct rpc *rpc, size_t len)
{
    rpc->octets += len;
    if (rpc->octets < RPC_SEND_PIECE)
        return;
    rpc->octets = 0;
    rpc_state_extend(rpc);
    rpc_state_set_phase(rpc, RPC_PHASE_SENT, rpc_state_attempt_ms(rpc));
}

static bool rpc_send_on_data(void *arg, long status, const char *octets, size_t len)
{
    struct rpc *rpc = arg;
    /* An error is collected whole, also where the answer is taken in pieces. */
    if (status != 200 || !rpc->request.data || rpc->phase == RPC_PHASE_VERSION) {
        buffer_add(&rpc->reply, octets, len);
        return rpc->reply.status == STATUS_OK;
    }
    /* A stream that has been accepted may idle: its timer stays as rpc_settle() has left it. */
    if (!rpc->request.is_stream)
        rpc_send_extend(rpc, len);
    /* Of what ends it here libcurl says only that a write failed. */
    enum status data_status = rpc->request.data(rpc->request.arg, octets, len, &rpc->why);
    rpc->data_status = data_status;
    return data_status == STATUS_OK;
}

static void rpc_send_on_version(void *arg, const struct http_client_result *result)
{
    struct rpc *rpc = arg;
    rpc->http = NULL;
    /* What could not be kept libcurl reports as a write that failed. */
    if (rpc->reply.status == STATUS_NO_MEMORY) {
        rpc_state_fail(rpc, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY), false);
        return;
    }
    if (result->code != CURLE_OK) {
        rpc_retry_broken(rpc, result);
        return;
    }
    /* A proxy may let nothing but /v3 through. */
    if (result->status != 200 ||
        !member_set_version(rpc->member, rpc->reply.data, rpc->reply.len)) {
        rpc->member->version = 0;
        rpc->member->prefix = "/v3";
    }
    rpc_state_set_phase(rpc, RPC_PHASE_PAUSE, 0);
}

static void rpc_send_start(struct rpc *rpc, const struct http_client_options *options,
                           http_client_done *done)
{
    rpc->http = http_client_start(rpc->etcd->http, options, rpc_send_on_data, done, rpc);
    if (!rpc->http)
        rpc_state_fail(rpc, STATUS_NO_MEMORY, "out of memory", false);
}

/* Without a token: etcd asks for none here, even with authentication switched on. */
void rpc_send_version(struct rpc *rpc)
{
    char url[sizeof(rpc->member->endpoint.url) + 16];
    snprintf(url, sizeof(url), "%s/version", rpc->member->request_url);
    struct http_client_options options = {
        .url = url,
        .addresses = rpc->member->addresses,
        .connect_to = rpc->member->connect_to,
        .is_urgent = rpc->request.is_urgent,
    };
    buffer_reset(&rpc->reply);
    rpc_state_set_phase(rpc, RPC_PHASE_VERSION, RPC_ATTEMPT_MS);
    rpc_send_start(rpc, &options, rpc_send_on_version);
}

/* Append to a list of headers that is NULL once memory has run out. */
static bool rpc_send_add_header(struct curl_slist **headers, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*headers, text);
    if (longer)
        *headers = longer;
    return longer;
}

/* The rpc remembers which token it sent: should etcd refuse it, there may be a newer one by
 * then. */
static bool rpc_send_add_token(struct rpc *rpc, struct curl_slist **headers)
{
    const char *token = rpc->etcd->auth.token;
    free(rpc->token);
    rpc->token = NULL;
    if (!token)
        return true;
    char *line = NULL;
    bool is_added = asprintf(&line, "Authorization: %s", token) > 0 &&
                    rpc_send_add_header(headers, line) && (rpc->token = strdup(token));
    free(line);
    return is_added;
}

/* With "hasleader" etcd ends a stream on a member that has lost its leader, which would be silent
 * otherwise. For all else it gets the attempt's time: its own limit is 7 s, in which several
 * members could be asked. "Expect:" is emptied, since libcurl would ask leave for a body of 1 MB
 * and wait. */
static bool rpc_send_add_headers(struct rpc *rpc, struct curl_slist **headers)
{
    char deadline[40];
    snprintf(deadline, sizeof(deadline), "Grpc-Timeout: %um", (unsigned)rpc_state_attempt_ms(rpc));
    return rpc_send_add_header(headers, "Content-Type: application/json") &&
           rpc_send_add_header(headers, "Expect:") &&
           rpc_send_add_header(headers, rpc->request.is_stream ? "Grpc-Metadata-hasleader: true"
                                                               : deadline) &&
           rpc_send_add_token(rpc, headers);
}

void rpc_send(struct rpc *rpc)
{
    const struct member *member = rpc->member;
    bool is_old = strcmp(member->prefix, "/v3") != 0;
    char url[sizeof(member->endpoint.url) + 48];
    snprintf(url, sizeof(url), "%s%s%s", member->request_url, member->prefix,
             rpc_request_path(rpc->request.method, is_old));
    rpc->data_status = STATUS_OK;
    rpc->octets = 0;
    rpc->why.text[0] = '\0';
    buffer_reset(&rpc->body);
    buffer_reset(&rpc->reply);
    /* Anew for each attempt: a range goes on behind what has come, in pages that suit the
     * member. */
    rpc->request.build(rpc->request.arg, member, &rpc->body);
    struct curl_slist *headers = NULL;
    enum status status = rpc->body.status;
    if (status == STATUS_OK && !rpc_send_add_headers(rpc, &headers))
        status = STATUS_NO_MEMORY;
    if (status != STATUS_OK) {
        curl_slist_free_all(headers);
        bool is_large = status == STATUS_TOO_LARGE;
        detail_set(&rpc->why, status, "%s",
                   is_large ? "the request is too large" : status_text(status));
        rpc_state_finish(rpc, status);
        return;
    }
    /* libcurl's limit lies behind the timer's, which knows whether an outcome is unknown then. What
     * comes in pieces has none there, as each piece gives more time. */
    struct http_client_options options = {
        .url = url,
        .addresses = member->addresses,
        .connect_to = member->connect_to,
        .headers = headers,
        .body = rpc->body.data,
        .body_len = rpc->body.len,
        .buffer_len = rpc->request.data ? RPC_SEND_BUFFER_LEN : 0,
        .timeout_ms = rpc->request.data ? 0 : rpc_state_attempt_ms(rpc) + 500,
        .is_once = !rpc->request.is_idempotent,
        .is_urgent = rpc->request.is_urgent,
    };
    rpc_state_set_phase(rpc, RPC_PHASE_SENT, rpc_state_attempt_ms(rpc));
    rpc_send_start(rpc, &options, rpc_send_on_done);
}
