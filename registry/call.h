/* registry/call.h - one request to the cluster: which member, how often, how long.
 *
 * An attempt on a member is: look up its addresses, ask its version, have a token, send. When it
 * fails in a way that another member or moment may mend, the next member is tried; when all have
 * failed, all are tried again after a short pause until the deadline, unless none of them can even
 * be connected to: then waiting would only keep a person from reading so.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_CALL_H
#define REGISTRY_CALL_H

#include "client.h"

/* X(name, path since 3.4, path before) */
#define CALL_LIST(X)                                                                               \
    X(RANGE, "/kv/range", "/kv/range")                                                             \
    X(TXN, "/kv/txn", "/kv/txn")                                                                   \
    X(WATCH, "/watch", "/watch")                                                                   \
    X(LEASE_GRANT, "/lease/grant", "/lease/grant")                                                 \
    X(LEASE_KEEP_ALIVE, "/lease/keepalive", "/lease/keepalive")                                    \
    X(LEASE_TIME_LEFT, "/lease/timetolive", "/kv/lease/timetolive")                                \
    X(LEASE_REVOKE, "/lease/revoke", "/kv/lease/revoke")

enum call_method {
#define CALL_ENUM(name, path, old_path) CALL_##name,
    CALL_LIST(CALL_ENUM)
#undef CALL_ENUM
};

struct call;

struct call_request {
    enum call_method method;
    uint32_t timeout_ms; /* for everything; 0 = the client's */
    uint32_t attempt_ms; /* for one attempt; 0 = 2 s */
    bool is_idempotent;  /* may be repeated when an outcome is unknown */
    bool is_stream;      /* endless: no time limit once it has begun */
    struct member *pin;  /* this member only, one attempt; NULL = any */
    /* Write the body for an attempt on this member. */
    void (*build)(void *arg, const struct member *member, struct buffer *body);
    /* A piece of the answer; with it the time limits count from the last piece. Other than OK ends
     * the call with that status and *why, but BAD_REPLY is tried again elsewhere. NULL: the answer
     * is collected. */
    enum status (*data)(void *arg, const char *octets, size_t len, struct detail *why);
    /* Once and last. `reply` is what was collected, NUL-terminated, or NULL. */
    void (*done)(void *arg, enum status status, const char *reply, size_t len,
                 const struct detail *why);
    void *arg;
};

/* Begin. `done` comes from the loop, even when there is no memory for the rest; NULL only when
 * there is none at all or the client is closing: then nothing will be called. */
struct call *call_start(struct etcd *etcd, const struct call_request *request);

/* Nothing is called any more. Not after `done`. */
void call_cancel(struct call *call);

/* The member that is being asked; NULL between attempts. */
struct member *call_member(const struct call *call);

/* Step all parked calls on the loop's next turn. */
void call_wake(struct etcd *etcd);

/* End all calls with CANCELLED. */
void call_close(struct etcd *etcd);

#endif
