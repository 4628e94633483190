/* registry/etcd/rpc_parts.h - what the three files of a call share.
 *
 * rpc.c leads a call from member to member, rpc_send.c sends, rpc_retry.c judges what came
 * back. A function that may end the call says so; it must be the last thing its caller does, for
 * the end may close the client.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_RPC_PARTS_H
#define REGISTRY_ETCD_RPC_PARTS_H

#include "client.h"
#include "rpc_request.h"

#define CALL_ATTEMPT_MS 2000

enum call_phase {
    CALL_PHASE_PAUSE,   /* the timer leads to the next step */
    CALL_PHASE_PARKED,  /* waiting for a look-up or a token */
    CALL_PHASE_VERSION, /* GET /version is under way */
    CALL_PHASE_SENT,    /* the request itself */
    CALL_PHASE_ENDED
};

struct call {
    struct etcd *etcd;
    struct call_request request;
    enum call_phase phase;
    struct member *member;
    struct http_request *http;
    struct buffer body, reply;
    uv_timer_t timer;
    uint64_t deadline_ms;
    uint32_t tried, tried_ever; /* members, in this round and in all */
    unsigned rounds, tokens;
    unsigned auth_failures;               /* as seen when the attempt began */
    bool is_hopeful;                      /* a failure of this round may pass */
    bool has_looked_up, has_changed_path; /* in this attempt */
    char *token;                          /* that was sent */
    enum status status;                   /* of the last failure */
    enum status data_status;
    struct detail why;
    struct call *next, **link;
};

/* Enter a phase, and set the timer to `limit_ms`, or what is left of the call's time if that is
 * less. */
void call_arm(struct call *call, enum call_phase phase, uint32_t limit_ms);

/* The time that an attempt may take. */
uint32_t call_attempt_ms(const struct call *call);

/* The time that a new piece of the answer gives: all of it again. */
void call_extend(struct call *call);

/* Do what comes next. May end the call. */
void call_step(struct call *call);

/* End the call; call->why is told. */
void call_finish(struct call *call, enum status status);

/* The attempt has failed; the next member is tried on the loop's next turn. is_hopeful: the failure
 * may pass. Does not end the call. */
void call_fail(struct call *call, enum status status, const char *reason, bool is_hopeful);

/* Nobody knows whether the write was done: end the call with TIMED_OUT. */
void call_lose(struct call *call, const char *reason);

/* Ask the member for its version. */
void call_send_version(struct call *call);

/* Send the request. May end the call. */
void call_send(struct call *call);

/* An answer with 200 is complete. May end the call. */
void call_outcome_answered(struct call *call);

/* etcd answered other than with 200. May end the call. */
void call_outcome_refused(struct call *call, long http_status);

/* An answer with 200 makes no sense; call->why says how. May end the call. */
void call_outcome_nonsense(struct call *call);

/* The connection could not be made, or broke. May end the call. */
void call_outcome_broken(struct call *call, const struct http_result *result);

#endif
