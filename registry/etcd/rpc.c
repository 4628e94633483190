#include "rpc.h"

#include "registry/base/backoff.h"
#include "rpc_state.h"

#include <stdio.h>
#include <stdlib.h>

#define RPC_PAUSE_MS     25U
#define RPC_PAUSE_MAX_MS 400
#define RPC_REPLY_MAX    (8U << 20) /* of what is collected: not of ranges and watches */
#define RPC_BODY_MAX     (4U << 20) /* etcd takes 1.5 MiB by default, of which base64 makes 2 */

static void rpc_give_up(struct rpc *rpc)
{
    if (rpc->tried_ever)
        member_explain(&rpc->etcd->members, rpc->tried_ever, &rpc->why);
    else
        detail_set(&rpc->why, rpc->status, "no answer in time");
    discovery_refresh(rpc->etcd); /* they may have moved; for the next rpc */
    rpc_state_finish(rpc, rpc->status);
}

/* Every member has failed once more. A pause that would last until the deadline is not begun. */
static void rpc_end_round(struct rpc *rpc)
{
    uint32_t pause_ms =
        backoff_jitter(backoff_pause(RPC_PAUSE_MS, RPC_PAUSE_MAX_MS, rpc->rounds + 1));
    if (rpc->request.pin || !rpc->is_retryable || rpc_state_left_ms(rpc) <= pause_ms) {
        rpc_give_up(rpc);
        return;
    }
    rpc->rounds++;
    rpc->tried = 0;
    rpc->is_retryable = false;
    rpc_state_set_phase(rpc, RPC_PHASE_PAUSE, pause_ms);
}

/* What one member lacks is waited for as long as an attempt has, then the others get their turn.
 * Without members there are no others. */
static void rpc_wait(struct rpc *rpc)
{
    rpc_state_set_phase(rpc, RPC_PHASE_WAITING, rpc->member ? RPC_ATTEMPT_MS : UINT32_MAX);
}

/* False: it waits, or over. */
static bool rpc_has_members(struct rpc *rpc)
{
    struct client_discovery *discovery = &rpc->etcd->discovery;
    enum discovery_state state = discovery_members(rpc->etcd);
    if (state == DISCOVERY_PENDING) {
        rpc_wait(rpc);
    } else if (state == DISCOVERY_FAILED) {
        rpc->why = discovery->why;
        rpc_state_finish(rpc, discovery->status);
    }
    return state == DISCOVERY_READY;
}

/* False: it waits, or the attempt has failed. Addresses that were found before are used while they
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
        rpc_state_fail(rpc, STATUS_UNRESOLVED, member->reason, false);
    }
    return false;
}

/* A password that is wrong is wrong at every member; what else kept the token away may not. The
 * token's path has the member's prefix, too: of the member that was asked by whichever rpc. May end
 * the rpc. */
static void rpc_lack_token(struct rpc *rpc)
{
    const struct gateway_reply_error error = rpc->etcd->auth.error;
    if (error.class == GATEWAY_REPLY_PATH && rpc->etcd->auth.failed == rpc->member) {
        rpc_retry_path(rpc, &error);
        return;
    }
    if (error.class != GATEWAY_REPLY_FINAL) {
        rpc_state_fail(rpc, error.status, error.message, true);
        return;
    }
    detail_set(&rpc->why, error.status, "%s: %s", rpc->member->endpoint.url, error.message);
    rpc_state_finish(rpc, error.status);
}

/* False: it waits, or the attempt has failed. */
static bool rpc_has_token(struct rpc *rpc)
{
    struct client_auth *auth = &rpc->etcd->auth;
    if (!auth_is_needed(auth))
        return true;
    /* The fetch that was waited for has failed, or it is too early for another. */
    if (rpc->auth_failures != auth->failures || auth_is_refused(auth, uv_now(rpc->etcd->loop))) {
        rpc->auth_failures = auth->failures;
        rpc_lack_token(rpc);
    } else if (auth_fetch(rpc->etcd, rpc->member) == STATUS_OK) {
        rpc_wait(rpc);
    } else {
        rpc_state_fail(rpc, STATUS_NO_MEMORY, "out of memory", false);
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
    if (!member || rpc->tried & member_mask(members, member) || rpc_state_left_ms(rpc) == 0)
        return false;
    rpc->member = member;
    rpc->tried |= member_mask(members, member);
    rpc->tried_ever |= rpc->tried;
    rpc->has_looked_up = rpc->has_changed_path = false;
    rpc->auth_failures = rpc->etcd->auth.failures; /* those before are of other attempts */
    return true;
}

/* Goes through all that an attempt needs, from the top each time: what was there before a wait,
 * such as a token, another rpc may have found to be of no use. */
static void rpc_step(struct rpc *rpc)
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
        rpc_state_finish(rpc, STATUS_UNRESOLVED);
        return;
    }
    if (rpc->phase == RPC_PHASE_WAITING && member_lacks_addresses(rpc->member)) {
        char reason[sizeof(rpc->member->reason)];
        snprintf(reason, sizeof(reason), "cannot look up %s: no answer from DNS in time",
                 rpc->member->endpoint.host);
        rpc_state_fail(rpc, STATUS_UNRESOLVED, reason, true);
        return;
    }
    /* What still waited for a connection was not done, and GET /version does nothing. */
    bool was_sent = rpc->http && http_client_cancel(rpc->http) && rpc->phase == RPC_PHASE_SENT;
    rpc->http = NULL;
    rpc->has_stray |= was_sent;
    if (was_sent && !rpc->request.is_idempotent)
        rpc_state_fail_unknown(rpc, "no answer in time");
    else
        rpc_state_fail(rpc, STATUS_TIMED_OUT, "no answer in time", true);
}

bool rpc_has_stray(const struct rpc *rpc)
{
    return rpc->has_stray;
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
    rpc_state_extend(rpc);
    buffer_init(&rpc->body, RPC_BODY_MAX);
    buffer_init(&rpc->reply, RPC_REPLY_MAX);
    uv_timer_init(etcd->loop, &rpc->timer);
    rpc->timer.data = rpc;
    rpc->on_timer = rpc_on_timer;
    LIST_INSERT_HEAD(&etcd->rpcs, rpc, node);
    rpc_state_set_phase(rpc, RPC_PHASE_PAUSE, 0); /* nothing is called before this has returned */
    return rpc;
}

enum status rpc_refusal(const struct etcd *etcd, struct detail *why)
{
    enum status status = etcd->is_closing ? STATUS_CANCELLED : STATUS_NO_MEMORY;
    return detail_set(why, status, "%s", status_text(status));
}

void rpc_cancel(struct rpc *rpc)
{
    rpc_state_end(rpc);
}

/* By their timers: a step may end its rpc, and what is called then any other of the list. */
void rpc_resume_all(struct etcd *etcd)
{
    for (struct rpc *rpc = LIST_FIRST(&etcd->rpcs); rpc; rpc = LIST_NEXT(rpc, node))
        if (rpc->phase == RPC_PHASE_WAITING)
            rpc_state_set_phase(rpc, RPC_PHASE_PAUSE, 0);
}

void rpc_close(struct etcd *etcd)
{
    struct rpc *rpc;
    /* From the first each time: `done` may cancel any other. It cannot begin new ones. */
    while ((rpc = LIST_FIRST(&etcd->rpcs))) {
        detail_set(&rpc->why, STATUS_CANCELLED, "cancelled");
        rpc_state_finish(rpc, STATUS_CANCELLED);
    }
}
