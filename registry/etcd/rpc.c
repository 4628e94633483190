#include "rpc.h"

#include "auth.h"
#include "discovery.h"
#include "rpc_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RPC_PAUSE_MS     25U
#define RPC_PAUSE_MAX_MS 400
#define RPC_REPLY_MAX    (8U << 20)
#define RPC_BODY_MAX     (4U << 20)

static void rpc_free(uv_handle_t *handle)
{
    struct rpc *rpc = handle->data;
    buffer_clear(&rpc->body);
    buffer_clear(&rpc->reply);
    free(rpc->token);
    free(rpc);
}

/* Take the call out of everything; its memory lives until the loop's next turn. */
static void rpc_detach(struct rpc *rpc)
{
    if (rpc->http)
        http_client_cancel(rpc->http);
    rpc->http = NULL;
    rpc->phase = RPC_PHASE_ENDED;
    *rpc->link = rpc->next;
    if (rpc->next)
        rpc->next->link = rpc->link;
    uv_close((uv_handle_t *)&rpc->timer, rpc_free);
}

/* The last thing that is done with a call: `done` may close the client. */
void rpc_finish(struct rpc *rpc, enum status status)
{
    rpc_detach(rpc);
    bool has_reply = status == STATUS_OK && rpc->reply.data;
    rpc->request.done(rpc->request.arg, status, has_reply ? rpc->reply.data : NULL,
                      has_reply ? rpc->reply.len : 0, &rpc->why);
}

static uint32_t rpc_left_ms(const struct rpc *rpc)
{
    uint64_t now_ms = uv_now(rpc->etcd->loop);
    return rpc->deadline_ms > now_ms ? (uint32_t)(rpc->deadline_ms - now_ms) : 0;
}

static void rpc_on_timer(uv_timer_t *timer);

void rpc_set_phase(struct rpc *rpc, enum rpc_phase phase, uint32_t limit_ms)
{
    uint32_t left_ms = rpc_left_ms(rpc);
    rpc->phase = phase;
    uv_timer_start(&rpc->timer, rpc_on_timer, limit_ms < left_ms ? limit_ms : left_ms, 0);
}

/* A write that may not be repeated is given all its time at once. */
uint32_t rpc_attempt_ms(const struct rpc *rpc)
{
    uint32_t left_ms = rpc_left_ms(rpc);
    uint32_t limit_ms = rpc->request.attempt_ms;
    if (!rpc->request.is_idempotent && !limit_ms)
        limit_ms = left_ms;
    if (!limit_ms)
        limit_ms = RPC_ATTEMPT_MS;
    return limit_ms < left_ms ? limit_ms : left_ms;
}

static void rpc_give_up(struct rpc *rpc)
{
    if (rpc->tried_ever)
        member_explain(&rpc->etcd->members, rpc->tried_ever, &rpc->why);
    else
        detail_set(&rpc->why, rpc->status, "no answer in time");
    discovery_refresh(rpc->etcd);
    rpc_finish(rpc, rpc->status);
}

/* Every member has failed once more. */
static void rpc_end_round(struct rpc *rpc)
{
    uint32_t pause_ms = RPC_PAUSE_MS << (rpc->rounds < 5 ? rpc->rounds : 5);
    if (pause_ms > RPC_PAUSE_MAX_MS)
        pause_ms = RPC_PAUSE_MAX_MS;
    pause_ms = pause_ms / 2 + member_random(pause_ms);
    if (rpc->request.pin || !rpc->is_retryable || rpc_left_ms(rpc) <= pause_ms) {
        rpc_give_up(rpc);
        return;
    }
    rpc->rounds++;
    rpc->tried = 0;
    rpc->is_retryable = false;
    rpc_set_phase(rpc, RPC_PHASE_PAUSE, pause_ms);
}

/* The attempt has failed; go on with the next member on the loop's next turn. */
void rpc_fail(struct rpc *rpc, enum status status, const char *reason, bool is_retryable)
{
    if (rpc->http)
        http_client_cancel(rpc->http);
    rpc->http = NULL;
    member_fail(rpc->member, uv_now(rpc->etcd->loop), status, reason);
    log_printf(&rpc->etcd->log, LOG_LEVEL_DEBUG, "%s: %s", rpc->member->endpoint.url, reason);
    if (!member_lacks_addresses(rpc->member) &&
        member_needs_addresses(rpc->member, uv_now(rpc->etcd->loop)))
        discovery_addresses(rpc->etcd, rpc->member);
    rpc->member = NULL;
    /* What is wrong with TLS will not pass by itself, so it is what to say. */
    if (!status_is_tls(rpc->status))
        rpc->status = status;
    rpc->is_retryable |= is_retryable;
    rpc_set_phase(rpc, RPC_PHASE_PAUSE, 0);
}

/* Nobody knows whether the write was done. */
void rpc_fail_unknown(struct rpc *rpc, const char *reason)
{
    detail_set(&rpc->why, STATUS_TIMED_OUT, "%s: %s; whether it was done is unknown",
               rpc->member->endpoint.url, reason);
    rpc_finish(rpc, STATUS_TIMED_OUT);
}

static void rpc_on_timer(uv_timer_t *timer)
{
    struct rpc *rpc = timer->data;
    if (rpc->phase == RPC_PHASE_PAUSE) {
        rpc_step(rpc);
        return;
    }
    if (!rpc->member) {
        rpc->status = STATUS_UNRESOLVED;
        detail_set(&rpc->why, STATUS_UNRESOLVED, "discovery in %s: no answer from DNS in time",
                   rpc->etcd->discovery.domain);
        rpc_finish(rpc, STATUS_UNRESOLVED);
        return;
    }
    if (rpc->phase == RPC_PHASE_WAITING && member_lacks_addresses(rpc->member)) {
        char reason[sizeof(rpc->member->reason)];
        snprintf(reason, sizeof(reason), "cannot look up %s: no answer from DNS in time",
                 rpc->member->endpoint.host);
        rpc_fail(rpc, STATUS_UNRESOLVED, reason, true);
        return;
    }
    bool was_sent = rpc->http && http_client_cancel(rpc->http) && rpc->phase == RPC_PHASE_SENT;
    rpc->http = NULL;
    if (was_sent && !rpc->request.is_idempotent)
        rpc_fail_unknown(rpc, "no answer in time");
    else
        rpc_fail(rpc, STATUS_TIMED_OUT, "no answer in time", true);
}

static void rpc_wait(struct rpc *rpc)
{
    rpc_set_phase(rpc, RPC_PHASE_WAITING, rpc->member ? RPC_ATTEMPT_MS : UINT32_MAX);
}

/* False: parked, or over. */
static bool rpc_has_members(struct rpc *rpc)
{
    struct client_discovery *discovery = &rpc->etcd->discovery;
    switch (discovery_members(rpc->etcd)) {
    case DISCOVERY_READY:
        return true;
    case DISCOVERY_PENDING:
        rpc_wait(rpc);
        return false;
    case DISCOVERY_FAILED:
        break;
    }
    rpc->why = discovery->why;
    rpc_finish(rpc, discovery->status);
    return false;
}

/* False: parked, or the attempt has failed. Addresses that were found before are used while they
 * are looked up anew: DNS may be away when etcd is well. */
static bool rpc_has_addresses(struct rpc *rpc)
{
    struct member *member = rpc->member;
    bool is_due = member_needs_addresses(member, uv_now(rpc->etcd->loop));
    if (is_due && !rpc->has_looked_up) {
        rpc->has_looked_up = true;
        discovery_addresses(rpc->etcd, member);
    }
    if (!member_lacks_addresses(member))
        return true;
    if (member->is_looking_up) {
        rpc_wait(rpc);
    } else {
        char reason[sizeof(member->reason)];
        memcpy(reason, member->reason, sizeof(reason));
        rpc_fail(rpc, STATUS_UNRESOLVED, reason, false);
    }
    return false;
}

/* May end the call. */
static void rpc_lack_token(struct rpc *rpc)
{
    const struct gateway_reply_error error = rpc->etcd->auth.error;
    if (error.class != GATEWAY_REPLY_FINAL) {
        rpc_fail(rpc, error.status, error.message, true);
        return;
    }
    detail_set(&rpc->why, error.status, "%s: %s", rpc->member->endpoint.url, error.message);
    rpc_finish(rpc, error.status);
}

/* False: parked, or the attempt has failed. */
static bool rpc_has_token(struct rpc *rpc)
{
    struct client_auth *auth = &rpc->etcd->auth;
    if (!auth_is_needed(auth))
        return true;
    if (rpc->auth_failures != auth->failures) {
        rpc->auth_failures = auth->failures;
        rpc_lack_token(rpc);
    } else if (auth_is_refused(auth, uv_now(rpc->etcd->loop))) {
        rpc_lack_token(rpc);
    } else if (auth_fetch(rpc->etcd, rpc->member) == STATUS_OK) {
        rpc_wait(rpc);
    } else {
        rpc_fail(rpc, STATUS_NO_MEMORY, "out of memory", false);
    }
    return false;
}

/* False: there is none left. */
static bool rpc_pick(struct rpc *rpc)
{
    struct member_set *members = &rpc->etcd->members;
    struct member *member = rpc->request.pin;
    if (!member)
        member = member_find(members, rpc->tried, uv_now(rpc->etcd->loop));
    if (!member || rpc->tried & member_mask(members, member) || rpc_left_ms(rpc) == 0)
        return false;
    rpc->member = member;
    rpc->tried |= member_mask(members, member);
    rpc->tried_ever |= rpc->tried;
    rpc->has_looked_up = rpc->has_changed_path = false;
    rpc->auth_failures = rpc->etcd->auth.failures;
    return true;
}

void rpc_step(struct rpc *rpc)
{
    if (!rpc->member) {
        if (!rpc_has_members(rpc))
            return;
        if (!rpc_pick(rpc)) {
            rpc_end_round(rpc);
            return;
        }
    }
    if (!rpc_has_addresses(rpc))
        return;
    if (!rpc->member->prefix)
        rpc_send_version(rpc);
    else if (rpc_has_token(rpc))
        rpc_send(rpc);
}

void rpc_settle(struct rpc *rpc)
{
    uv_timer_stop(&rpc->timer);
    auth_trust(&rpc->etcd->auth, rpc->request.method);
}

void rpc_refuse(struct rpc *rpc, const struct gateway_reply_error *error)
{
    struct client_auth *auth = &rpc->etcd->auth;
    if (error->class == GATEWAY_REPLY_TOKEN)
        auth_forget(auth, rpc->token);
    else if (error->class == GATEWAY_REPLY_PERMISSION)
        (void)auth_doubt(auth, rpc->request.method, rpc->token, uv_now(rpc->etcd->loop));
}

void rpc_extend(struct rpc *rpc)
{
    uint32_t timeout_ms = rpc->request.timeout_ms;
    rpc->deadline_ms = uv_now(rpc->etcd->loop) + (timeout_ms ? timeout_ms : rpc->etcd->timeout_ms);
}

struct rpc *rpc_start(struct etcd *etcd, const struct rpc_request *request)
{
    struct rpc *rpc = etcd->is_closing ? NULL : calloc(1, sizeof(*rpc));
    if (!rpc)
        return NULL;
    /* The caller may have worked for long since the loop looked at the clock. */
    uv_update_time(etcd->loop);
    rpc->etcd = etcd;
    rpc->request = *request;
    rpc->status = STATUS_TIMED_OUT;
    rpc_extend(rpc);
    buffer_init(&rpc->body, RPC_BODY_MAX);
    buffer_init(&rpc->reply, RPC_REPLY_MAX);
    uv_timer_init(etcd->loop, &rpc->timer);
    rpc->timer.data = rpc;
    rpc->next = etcd->rpcs;
    rpc->link = &etcd->rpcs;
    if (rpc->next)
        rpc->next->link = &rpc->next;
    etcd->rpcs = rpc;
    rpc_set_phase(rpc, RPC_PHASE_PAUSE, 0);
    return rpc;
}

void rpc_cancel(struct rpc *rpc)
{
    rpc_detach(rpc);
}

struct member *rpc_member(const struct rpc *rpc)
{
    return rpc->member;
}

void rpc_resume_all(struct etcd *etcd)
{
    for (struct rpc *rpc = etcd->rpcs; rpc; rpc = rpc->next)
        if (rpc->phase == RPC_PHASE_WAITING)
            rpc_set_phase(rpc, RPC_PHASE_PAUSE, 0);
}

void rpc_close(struct etcd *etcd)
{
    while (etcd->rpcs) {
        detail_set(&etcd->rpcs->why, STATUS_CANCELLED, "cancelled");
        rpc_finish(etcd->rpcs, STATUS_CANCELLED);
    }
}
