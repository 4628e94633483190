#include "rpc_state.h"

#include <stdlib.h>

static void rpc_state_free(uv_handle_t *handle)
{
    struct rpc *rpc = handle->data;
    buffer_clear(&rpc->body);
    buffer_clear(&rpc->reply);
    free(rpc->token);
    free(rpc);
}

/* The memory goes on the loop's next turn, as functions further up the stack still look at it. */
void rpc_state_end(struct rpc *rpc)
{
    if (rpc->http)
        http_client_cancel(rpc->http);
    rpc->http = NULL;
    rpc->phase = RPC_PHASE_ENDED;
    LIST_REMOVE(rpc, node);
    uv_close((uv_handle_t *)&rpc->timer, rpc_state_free);
}

/* Ended first: `done` may close the client, which ends all rpcs that are in its list. */
void rpc_state_finish(struct rpc *rpc, enum status status)
{
    rpc_state_end(rpc);
    rpc->request.done(rpc->request.arg, status, &rpc->why);
}

uint32_t rpc_state_left_ms(const struct rpc *rpc)
{
    uint64_t now_ms = uv_now(rpc->etcd->loop);
    return rpc->deadline_ms > now_ms ? (uint32_t)(rpc->deadline_ms - now_ms) : 0;
}

void rpc_state_set_phase(struct rpc *rpc, enum rpc_phase phase, uint32_t limit_ms)
{
    uint32_t left_ms = rpc_state_left_ms(rpc);
    rpc->phase = phase;
    uv_timer_start(&rpc->timer, rpc->on_timer, limit_ms < left_ms ? limit_ms : left_ms, 0);
}

uint32_t rpc_state_attempt_ms(const struct rpc *rpc)
{
    uint32_t left_ms = rpc_state_left_ms(rpc), limit_ms = rpc->request.attempt_ms;
    if (limit_ms == 0)
        limit_ms = rpc->request.is_idempotent ? RPC_ATTEMPT_MS : left_ms;
    return limit_ms < left_ms ? limit_ms : left_ms;
}

/* By the timer, not by a call: rpc.c, which leads to the next member, stands on this file. */
void rpc_state_fail(struct rpc *rpc, enum status status, const char *reason, bool is_retryable)
{
    if (rpc->http)
        http_client_cancel(rpc->http);
    rpc->http = NULL;
    member_fail(rpc->member, uv_now(rpc->etcd->loop), status, reason);
    log_printf(&rpc->etcd->log, LOG_LEVEL_DEBUG, "%s: %s", rpc->member->endpoint.url, reason);
    /* It may have moved: while others are asked, the look-up comes along. */
    if (!member_lacks_addresses(rpc->member) &&
        member_needs_addresses(rpc->member, uv_now(rpc->etcd->loop)))
        discovery_addresses(rpc->etcd, rpc->member);
    rpc->member = NULL;
    /* What is wrong with TLS will not pass by itself, so it is what to say. */
    if (!status_is_tls(rpc->status))
        rpc->status = status;
    rpc->is_retryable |= is_retryable;
    rpc_state_set_phase(rpc, RPC_PHASE_PAUSE, 0);
}

/* TIMED_OUT whatever has failed: to its owner that means an outcome that is unknown. */
void rpc_state_fail_unknown(struct rpc *rpc, const char *reason)
{
    detail_set(&rpc->why, STATUS_TIMED_OUT, "%s: %s; whether it was done is unknown",
               rpc->member->endpoint.url, reason);
    rpc_state_finish(rpc, STATUS_TIMED_OUT);
}

void rpc_state_extend(struct rpc *rpc)
{
    uint32_t timeout_ms = rpc->request.timeout_ms;
    rpc->deadline_ms = uv_now(rpc->etcd->loop) + (timeout_ms ? timeout_ms : rpc->etcd->timeout_ms);
}
