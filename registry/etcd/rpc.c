#include "rpc.h"

#include "auth.h"
#include "discovery.h"
#include "rpc_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_PAUSE_MS     25U
#define CALL_PAUSE_MAX_MS 400
#define CALL_REPLY_MAX    (8U << 20)
#define CALL_BODY_MAX     (4U << 20)

static void call_free(uv_handle_t *handle)
{
    struct call *call = handle->data;
    buffer_clear(&call->body);
    buffer_clear(&call->reply);
    free(call->token);
    free(call);
}

/* Take the call out of everything; its memory lives until the loop's next turn. */
static void call_detach(struct call *call)
{
    if (call->http)
        http_cancel(call->http);
    call->http = NULL;
    call->phase = CALL_PHASE_ENDED;
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    uv_close((uv_handle_t *)&call->timer, call_free);
}

/* The last thing that is done with a call: `done` may close the client. */
void call_finish(struct call *call, enum status status)
{
    call_detach(call);
    bool has_reply = status == STATUS_OK && call->reply.data;
    call->request.done(call->request.arg, status, has_reply ? call->reply.data : NULL,
                       has_reply ? call->reply.len : 0, &call->why);
}

static uint32_t call_left_ms(const struct call *call)
{
    uint64_t now_ms = uv_now(call->etcd->loop);
    return call->deadline_ms > now_ms ? (uint32_t)(call->deadline_ms - now_ms) : 0;
}

static void call_on_timer(uv_timer_t *timer);

void call_arm(struct call *call, enum call_phase phase, uint32_t limit_ms)
{
    uint32_t left_ms = call_left_ms(call);
    call->phase = phase;
    uv_timer_start(&call->timer, call_on_timer, limit_ms < left_ms ? limit_ms : left_ms, 0);
}

/* A write that may not be repeated is given all its time at once. */
uint32_t call_attempt_ms(const struct call *call)
{
    uint32_t left_ms = call_left_ms(call);
    uint32_t limit_ms = call->request.attempt_ms;
    if (!call->request.is_idempotent && !limit_ms)
        limit_ms = left_ms;
    if (!limit_ms)
        limit_ms = CALL_ATTEMPT_MS;
    return limit_ms < left_ms ? limit_ms : left_ms;
}

static void call_give_up(struct call *call)
{
    if (call->tried_ever)
        member_explain(&call->etcd->members, call->tried_ever, &call->why);
    else
        detail_set(&call->why, call->status, "no answer in time");
    locate_refresh(call->etcd);
    call_finish(call, call->status);
}

/* Every member has failed once more. */
static void call_end_round(struct call *call)
{
    uint32_t pause_ms = CALL_PAUSE_MS << (call->rounds < 5 ? call->rounds : 5);
    if (pause_ms > CALL_PAUSE_MAX_MS)
        pause_ms = CALL_PAUSE_MAX_MS;
    pause_ms = pause_ms / 2 + member_random(pause_ms);
    if (call->request.pin || !call->is_hopeful || call_left_ms(call) <= pause_ms) {
        call_give_up(call);
        return;
    }
    call->rounds++;
    call->tried = 0;
    call->is_hopeful = false;
    call_arm(call, CALL_PHASE_PAUSE, pause_ms);
}

/* The attempt has failed; go on with the next member on the loop's next turn. */
void call_fail(struct call *call, enum status status, const char *reason, bool is_hopeful)
{
    if (call->http)
        http_cancel(call->http);
    call->http = NULL;
    member_fail(call->member, uv_now(call->etcd->loop), status, reason);
    log_printf(&call->etcd->log, LOG_LEVEL_DEBUG, "%s: %s", call->member->endpoint.url, reason);
    if (!member_lacks_addresses(call->member) &&
        member_needs_addresses(call->member, uv_now(call->etcd->loop)))
        locate_addresses(call->etcd, call->member);
    call->member = NULL;
    /* What is wrong with TLS will not pass by itself, so it is what to say. */
    if (!status_is_tls(call->status))
        call->status = status;
    call->is_hopeful |= is_hopeful;
    call_arm(call, CALL_PHASE_PAUSE, 0);
}

/* Nobody knows whether the write was done. */
void call_lose(struct call *call, const char *reason)
{
    detail_set(&call->why, STATUS_TIMED_OUT, "%s: %s; whether it was done is unknown",
               call->member->endpoint.url, reason);
    call_finish(call, STATUS_TIMED_OUT);
}

static void call_on_timer(uv_timer_t *timer)
{
    struct call *call = timer->data;
    if (call->phase == CALL_PHASE_PAUSE) {
        call_step(call);
        return;
    }
    if (!call->member) {
        call->status = STATUS_UNRESOLVED;
        detail_set(&call->why, STATUS_UNRESOLVED, "discovery in %s: no answer from DNS in time",
                   call->etcd->discovery.domain);
        call_finish(call, STATUS_UNRESOLVED);
        return;
    }
    if (call->phase == CALL_PHASE_PARKED && member_lacks_addresses(call->member)) {
        char reason[sizeof(call->member->reason)];
        snprintf(reason, sizeof(reason), "cannot look up %s: no answer from DNS in time",
                 call->member->endpoint.host);
        call_fail(call, STATUS_UNRESOLVED, reason, true);
        return;
    }
    bool was_sent = call->http && http_cancel(call->http) && call->phase == CALL_PHASE_SENT;
    call->http = NULL;
    if (was_sent && !call->request.is_idempotent)
        call_lose(call, "no answer in time");
    else
        call_fail(call, STATUS_TIMED_OUT, "no answer in time", true);
}

static void call_park(struct call *call)
{
    call_arm(call, CALL_PHASE_PARKED, call->member ? CALL_ATTEMPT_MS : UINT32_MAX);
}

/* False: parked, or over. */
static bool call_has_members(struct call *call)
{
    struct client_discovery *discovery = &call->etcd->discovery;
    switch (locate_members(call->etcd)) {
    case LOCATE_READY:
        return true;
    case LOCATE_BUSY:
        call_park(call);
        return false;
    case LOCATE_FAILED:
        break;
    }
    call->why = discovery->why;
    call_finish(call, discovery->status);
    return false;
}

/* False: parked, or the attempt has failed. Addresses that were found before are used while they
 * are looked up anew: DNS may be away when etcd is well. */
static bool call_has_addresses(struct call *call)
{
    struct member *member = call->member;
    bool is_due = member_needs_addresses(member, uv_now(call->etcd->loop));
    if (is_due && !call->has_looked_up) {
        call->has_looked_up = true;
        locate_addresses(call->etcd, member);
    }
    if (!member_lacks_addresses(member))
        return true;
    if (member->is_looking_up) {
        call_park(call);
    } else {
        char reason[sizeof(member->reason)];
        memcpy(reason, member->reason, sizeof(reason));
        call_fail(call, STATUS_UNRESOLVED, reason, false);
    }
    return false;
}

/* May end the call. */
static void call_lack_token(struct call *call)
{
    const struct reply_error error = call->etcd->auth.error;
    if (error.class != REPLY_FINAL) {
        call_fail(call, error.status, error.message, true);
        return;
    }
    detail_set(&call->why, error.status, "%s: %s", call->member->endpoint.url, error.message);
    call_finish(call, error.status);
}

/* False: parked, or the attempt has failed. */
static bool call_has_token(struct call *call)
{
    struct client_auth *auth = &call->etcd->auth;
    if (!auth_is_needed(auth))
        return true;
    if (call->auth_failures != auth->failures) {
        call->auth_failures = auth->failures;
        call_lack_token(call);
    } else if (auth_is_refused(auth, uv_now(call->etcd->loop))) {
        call_lack_token(call);
    } else if (auth_fetch(call->etcd, call->member) == STATUS_OK) {
        call_park(call);
    } else {
        call_fail(call, STATUS_NO_MEMORY, "out of memory", false);
    }
    return false;
}

/* False: there is none left. */
static bool call_pick(struct call *call)
{
    struct member_set *members = &call->etcd->members;
    struct member *member = call->request.pin;
    if (!member)
        member = member_find(members, call->tried, uv_now(call->etcd->loop));
    if (!member || call->tried & member_bit(members, member) || call_left_ms(call) == 0)
        return false;
    call->member = member;
    call->tried |= member_bit(members, member);
    call->tried_ever |= call->tried;
    call->has_looked_up = call->has_changed_path = false;
    call->auth_failures = call->etcd->auth.failures;
    return true;
}

void call_step(struct call *call)
{
    if (!call->member) {
        if (!call_has_members(call))
            return;
        if (!call_pick(call)) {
            call_end_round(call);
            return;
        }
    }
    if (!call_has_addresses(call))
        return;
    if (!call->member->prefix)
        call_send_version(call);
    else if (call_has_token(call))
        call_send(call);
}

void call_settle(struct call *call)
{
    uv_timer_stop(&call->timer);
    auth_trust(&call->etcd->auth, call->request.method);
}

void call_refuse(struct call *call, const struct reply_error *error)
{
    struct client_auth *auth = &call->etcd->auth;
    if (error->class == REPLY_TOKEN)
        auth_forget(auth, call->token);
    else if (error->class == REPLY_PERMISSION)
        (void)auth_doubt(auth, call->request.method, call->token, uv_now(call->etcd->loop));
}

void call_extend(struct call *call)
{
    uint32_t timeout_ms = call->request.timeout_ms;
    call->deadline_ms =
        uv_now(call->etcd->loop) + (timeout_ms ? timeout_ms : call->etcd->timeout_ms);
}

struct call *call_start(struct etcd *etcd, const struct call_request *request)
{
    struct call *call = etcd->is_closing ? NULL : calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    /* The caller may have worked for long since the loop looked at the clock. */
    uv_update_time(etcd->loop);
    call->etcd = etcd;
    call->request = *request;
    call->status = STATUS_TIMED_OUT;
    call_extend(call);
    buffer_init(&call->body, CALL_BODY_MAX);
    buffer_init(&call->reply, CALL_REPLY_MAX);
    uv_timer_init(etcd->loop, &call->timer);
    call->timer.data = call;
    call->next = etcd->calls;
    call->link = &etcd->calls;
    if (call->next)
        call->next->link = &call->next;
    etcd->calls = call;
    call_arm(call, CALL_PHASE_PAUSE, 0);
    return call;
}

void call_cancel(struct call *call)
{
    call_detach(call);
}

struct member *call_member(const struct call *call)
{
    return call->member;
}

void call_wake(struct etcd *etcd)
{
    for (struct call *call = etcd->calls; call; call = call->next)
        if (call->phase == CALL_PHASE_PARKED)
            call_arm(call, CALL_PHASE_PAUSE, 0);
}

void call_close(struct etcd *etcd)
{
    while (etcd->calls) {
        detail_set(&etcd->calls->why, STATUS_CANCELLED, "cancelled");
        call_finish(etcd->calls, STATUS_CANCELLED);
    }
}
