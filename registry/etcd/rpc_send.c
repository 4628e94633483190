#include "rpc_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_SEND_BUFFER_LEN (256U << 10) /* for answers that are long */

static void call_send_on_done(void *arg, const struct http_result *result)
{
    struct call *call = arg;
    call->http = NULL;
    uv_timer_stop(&call->timer);
    if (call->data_status == STATUS_BAD_REPLY)
        call_outcome_nonsense(call);
    else if (call->data_status != STATUS_OK)
        call_finish(call, call->data_status);
    else if (call->reply.status != STATUS_OK)
        call_finish(call, detail_set(&call->why, call->reply.status, "%s: the reply is too long",
                                     call->member->endpoint.url));
    else if (result->code != CURLE_OK)
        call_outcome_broken(call, result);
    else if (result->status != 200)
        call_outcome_refused(call, result->status);
    else
        call_outcome_answered(call);
}

static bool call_send_on_data(void *arg, long status, const char *octets, size_t len)
{
    struct call *call = arg;
    if (status != 200 || !call->request.data) {
        buffer_add(&call->reply, octets, len);
        return call->reply.status == STATUS_OK;
    }
    if (!call->request.is_stream) {
        call_extend(call);
        call_arm(call, CALL_PHASE_SENT, call_attempt_ms(call));
    }
    enum status data_status = call->request.data(call->request.arg, octets, len, &call->why);
    call->data_status = data_status;
    return data_status == STATUS_OK;
}

static void call_send_on_version(void *arg, const struct http_result *result)
{
    struct call *call = arg;
    call->http = NULL;
    if (result->code != CURLE_OK) {
        call_outcome_broken(call, result);
        return;
    }
    /* A proxy may let nothing but /v3 through. */
    if (result->status != 200 ||
        !member_set_version(call->member, call->reply.data, call->reply.len)) {
        call->member->version = 0;
        call->member->prefix = "/v3";
    }
    call_step(call);
}

static bool call_send_on_version_data(void *arg, long status, const char *octets, size_t len)
{
    struct call *call = arg;
    (void)status;
    buffer_add(&call->reply, octets, len);
    return call->reply.status == STATUS_OK;
}

void call_send_version(struct call *call)
{
    char url[sizeof(call->member->endpoint.url) + 16];
    snprintf(url, sizeof(url), "%s/version", call->member->request_url);
    struct http_options options = {
        .url = url, .addresses = call->member->addresses, .connect_to = call->member->connect_to};
    buffer_reset(&call->reply);
    call_arm(call, CALL_PHASE_VERSION, CALL_ATTEMPT_MS);
    call->http = http_start(call->etcd->http, &options, call_send_on_version_data,
                            call_send_on_version, call);
    if (!call->http)
        call_fail(call, STATUS_NO_MEMORY, "out of memory", false);
}

/* Append to a list of headers that is NULL once memory has run out. */
static bool call_send_add_header(struct curl_slist **headers, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*headers, text);
    if (longer)
        *headers = longer;
    return longer;
}

static bool call_send_add_token(struct call *call, struct curl_slist **headers)
{
    const char *token = call->etcd->auth.token;
    free(call->token);
    call->token = NULL;
    if (!token)
        return true;
    char *line = NULL;
    bool is_added = asprintf(&line, "Authorization: %s", token) > 0 &&
                    call_send_add_header(headers, line) && (call->token = strdup(token));
    free(line);
    return is_added;
}

static bool call_send_add_headers(struct call *call, struct curl_slist **headers)
{
    char deadline[40];
    snprintf(deadline, sizeof(deadline), "Grpc-Timeout: %um", (unsigned)call_attempt_ms(call));
    return call_send_add_header(headers, "Content-Type: application/json") &&
           call_send_add_header(headers, "Expect:") &&
           call_send_add_header(headers, call->request.is_stream ? "Grpc-Metadata-hasleader: true"
                                                                 : deadline) &&
           call_send_add_token(call, headers);
}

void call_send(struct call *call)
{
    static const char *const paths[][2] = {
#define CALL_ROW(name, path, old_path) [CALL_##name] = {path, old_path},
        CALL_LIST(CALL_ROW)
#undef CALL_ROW
    };
    const struct member *member = call->member;
    bool is_old = strcmp(member->prefix, "/v3") != 0;
    char url[sizeof(member->endpoint.url) + 48];
    snprintf(url, sizeof(url), "%s%s%s", member->request_url, member->prefix,
             paths[call->request.method][is_old]);
    call->data_status = STATUS_OK;
    call->why.text[0] = '\0';
    buffer_reset(&call->body);
    buffer_reset(&call->reply);
    call->request.build(call->request.arg, member, &call->body);
    struct curl_slist *headers = NULL;
    if (call->body.status != STATUS_OK || !call_send_add_headers(call, &headers)) {
        curl_slist_free_all(headers);
        bool is_large = call->body.status == STATUS_TOO_LARGE;
        enum status status = is_large ? STATUS_TOO_LARGE : STATUS_NO_MEMORY;
        detail_set(&call->why, status, is_large ? "the request is too large" : "out of memory");
        call_finish(call, status);
        return;
    }
    struct http_options options = {
        .url = url,
        .addresses = member->addresses,
        .connect_to = member->connect_to,
        .headers = headers,
        .body = call->body.data,
        .body_len = call->body.len,
        .buffer_len = call->request.data ? CALL_SEND_BUFFER_LEN : 0,
        .timeout_ms = call->request.data ? 0 : call_attempt_ms(call) + 500,
        .is_once = !call->request.is_idempotent,
    };
    call_arm(call, CALL_PHASE_SENT, call_attempt_ms(call));
    call->http = http_start(call->etcd->http, &options, call_send_on_data, call_send_on_done, call);
    if (!call->http)
        call_fail(call, STATUS_NO_MEMORY, "out of memory", false);
}
