/* registry/etcd/rpc_state.h - the state of one rpc, and the steps that every part of it takes: enter
 * a phase, fail an attempt, finish.
 *
 * rpc.c leads an rpc from member to member, rpc_send.c sends, rpc_retry.c decides what an answer
 * or its absence leads to; each calls only those below it, and all of them this file. They meet
 * again through the timer: whoever has something to be done next sets PHASE_PAUSE, and the loop
 * calls rpc.c. A function that may end the rpc says so; it must be the last thing its caller does,
 * for the end may close the client.
 *
 * When and how often is tried: an attempt has 2 s, a write that may not be repeated all its time at
 * once, since after a lost answer nobody may send it again. Each member is tried once a round; a
 * round that failed is followed by another, after 25, 50 .. 400 ms with jitter, as long as one of
 * its failures may pass and the deadline is not reached. Where nothing could even be connected to,
 * the first round is the last: waiting would only keep a person from reading so. A piece of a long
 * answer gives the rpc all its time again.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_RPC_STATE_H
#define REGISTRY_ETCD_RPC_STATE_H

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
    size_t octets; /* of the answer, since the time limits were last extended */
    uv_timer_t timer;
    uv_timer_cb on_timer; /* rpc.c's: what the timer leads to */
    uint64_t deadline_ms;
    uint32_t tried, tried_ever; /* members, in this round and in all */
    unsigned rounds, tokens;
    unsigned auth_failures;               /* as seen when the attempt began */
    bool is_retryable;                    /* a failure of this round may pass */
    bool has_stray;                       /* rpc_has_stray() */
    bool has_looked_up, has_changed_path; /* in this attempt */
    char *token;                          /* that was sent */
    enum status status;                   /* of the last failure */
    enum status data_status;
    struct detail why;
    LIST_ENTRY(rpc) node; /* in etcd->rpcs */
};

/* Enter a phase, and set the timer to `limit_ms`, or what is left of the rpc's time if that is
 * less. */
void rpc_state_set_phase(struct rpc *rpc, enum rpc_phase phase, uint32_t limit_ms);

/* Milliseconds until the deadline; 0 when it is over. */
uint32_t rpc_state_left_ms(const struct rpc *rpc);

/* The time that an attempt may take. */
uint32_t rpc_state_attempt_ms(const struct rpc *rpc);

/* The time that a new piece of the answer gives: all of it again. */
void rpc_state_extend(struct rpc *rpc);

/* Take the rpc out of everything without telling anyone; its memory lives until the loop's next
 * turn. */
void rpc_state_end(struct rpc *rpc);

/* End the rpc; rpc->why is told. The last thing that is done with it: `done` may close the client. */
void rpc_state_finish(struct rpc *rpc, enum status status);

/* The attempt has failed; the next member is tried on the loop's next turn. is_retryable: the
 * failure may pass. Does not end the rpc. */
void rpc_state_fail(struct rpc *rpc, enum status status, const char *reason, bool is_retryable);

/* Nobody knows whether the write was done: end the rpc with TIMED_OUT. */
void rpc_state_fail_unknown(struct rpc *rpc, const char *reason);

/* rpc_send.c: one attempt of an rpc on its member, as HTTP. */

/* Ask the member for its version, which decides its paths; PHASE_PAUSE follows. */
void rpc_send_version(struct rpc *rpc);

/* Send the request. May end the rpc. */
void rpc_send(struct rpc *rpc);

/* rpc_retry.c: what came back decides how an rpc goes on: it is the answer, or the same member,
 * another one, or nobody is asked again. Each of these may end the rpc. */

/* An answer with 200 is complete. */
void rpc_retry_answered(struct rpc *rpc);

/* etcd answered other than with 200; what it said is in rpc->reply. */
void rpc_retry_refused(struct rpc *rpc, long http_status);

/* The member does not have the path of the request, or of the one for a token; `error` is what it
 * said. */
void rpc_retry_path(struct rpc *rpc, const struct gateway_reply_error *error);

/* An answer with 200 makes no sense; rpc->why says how. */
void rpc_retry_nonsense(struct rpc *rpc);

/* The connection could not be made, or broke. */
void rpc_retry_broken(struct rpc *rpc, const struct http_client_result *result);

#endif
