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

#define RPC_ATTEMPT_MS 2000

enum rpc_phase {
    RPC_PHASE_PAUSE,   /* the timer leads to the next step */
    RPC_PHASE_WAITING, /* waiting for a look-up or a token */
    RPC_PHASE_VERSION, /* GET /version is under way */
    RPC_PHASE_SENT,    /* the request itself */
    RPC_PHASE_ENDED
};

struct rpc {
    struct etcd *etcd;
    struct rpc_request request;
    enum rpc_phase phase;
    struct member *member;
    struct http_client_request *http;
    struct buffer body, reply;
    uv_timer_t timer;
    uint64_t deadline_ms;
    uint32_t tried, tried_ever; /* members, in this round and in all */
    unsigned rounds, tokens;
    unsigned auth_failures;               /* as seen when the attempt began */
    bool is_retryable;                    /* a failure of this round may pass */
    bool has_looked_up, has_changed_path; /* in this attempt */
    char *token;                          /* that was sent */
    enum status status;                   /* of the last failure */
    enum status data_status;
    struct detail why;
    struct rpc *next, **link;
};

/* Enter a phase, and set the timer to `limit_ms`, or what is left of the call's time if that is
 * less. */
void rpc_set_phase(struct rpc *rpc, enum rpc_phase phase, uint32_t limit_ms);

/* The time that an attempt may take. */
uint32_t rpc_attempt_ms(const struct rpc *rpc);

/* The time that a new piece of the answer gives: all of it again. */
void rpc_extend(struct rpc *rpc);

/* Do what comes next. May end the call. */
void rpc_step(struct rpc *rpc);

/* End the call; call->why is told. */
void rpc_finish(struct rpc *rpc, enum status status);

/* The attempt has failed; the next member is tried on the loop's next turn. is_retryable: the failure
 * may pass. Does not end the call. */
void rpc_fail(struct rpc *rpc, enum status status, const char *reason, bool is_retryable);

/* Nobody knows whether the write was done: end the call with TIMED_OUT. */
void rpc_fail_unknown(struct rpc *rpc, const char *reason);

/* Ask the member for its version. */
void rpc_send_version(struct rpc *rpc);

/* Send the request. May end the call. */
void rpc_send(struct rpc *rpc);

/* An answer with 200 is complete. May end the call. */
void rpc_retry_answered(struct rpc *rpc);

/* etcd answered other than with 200. May end the call. */
void rpc_retry_refused(struct rpc *rpc, long http_status);

/* An answer with 200 makes no sense; call->why says how. May end the call. */
void rpc_retry_nonsense(struct rpc *rpc);

/* The connection could not be made, or broke. May end the call. */
void rpc_retry_broken(struct rpc *rpc, const struct http_client_result *result);

#endif
