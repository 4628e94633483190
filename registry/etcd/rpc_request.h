/* registry/etcd/rpc_request.h - what a call asks of etcd, and whom it tells.
 *
 * Types alone, for rpc.h and for the files that a call is made of. */
#ifndef REGISTRY_ETCD_RPC_REQUEST_H
#define REGISTRY_ETCD_RPC_REQUEST_H

#include "registry/base/buffer.h"
#include "registry/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct member;

/* X(name, path since 3.4, path before) */
#define RPC_LIST(X)                                                                                \
    X(RANGE, "/kv/range", "/kv/range")                                                             \
    X(TXN, "/kv/txn", "/kv/txn")                                                                   \
    X(WATCH, "/watch", "/watch")                                                                   \
    X(LEASE_GRANT, "/lease/grant", "/lease/grant")                                                 \
    X(LEASE_KEEP_ALIVE, "/lease/keepalive", "/lease/keepalive")                                    \
    X(LEASE_TIME_LEFT, "/lease/timetolive", "/kv/lease/timetolive")                                \
    X(LEASE_REVOKE, "/lease/revoke", "/kv/lease/revoke")

enum rpc_method {
#define RPC_ENUM(name, path, old_path) CALL_##name,
    RPC_LIST(RPC_ENUM)
#undef RPC_ENUM
        RPC_METHODS
};

struct rpc_request {
    enum rpc_method method;
    uint32_t timeout_ms; /* for everything; 0 = the client's */
    uint32_t attempt_ms; /* for one attempt; 0 = 2 s */
    bool is_idempotent;  /* may be repeated when an outcome is unknown */
    bool is_stream;      /* endless: no time limit after rpc_settle() */
    struct member *pin;  /* this member only, one attempt; NULL = any */
    /* Write the body for an attempt on this member. */
    void (*build)(void *arg, const struct member *member, struct buffer *body);
    /* A piece of the answer; with it the time limits count from the last piece. Other than OK ends
     * the call with that status and *why, but BAD_REPLY is tried again elsewhere. NULL: the answer
     * is collected. */
    enum status (*data)(void *arg, const char *octets, size_t len, struct detail *why);
    /* Whether the whole of an answer with status 200 makes sense: OK, or BAD_REPLY with *why, which
     * is tried again elsewhere, or, for a write that may not be repeated, an unknown outcome.
     * `reply` as for `done`. */
    enum status (*check)(void *arg, const char *reply, size_t len, struct detail *why);
    /* Once and last. `reply` is what was collected, NUL-terminated, or NULL. */
    void (*done)(void *arg, enum status status, const char *reply, size_t len,
                 const struct detail *why);
    void *arg;
};

#endif
