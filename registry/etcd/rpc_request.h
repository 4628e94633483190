/* registry/etcd/rpc_request.h - what an rpc asks of etcd, by which path, and whom it tells.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_RPC_REQUEST_H
#define REGISTRY_ETCD_RPC_REQUEST_H

#include "registry/base/buffer.h"

struct member;

enum rpc_method {
    RPC_RANGE,
    RPC_TXN,
    RPC_WATCH,
    RPC_LEASE_GRANT,
    RPC_LEASE_KEEP_ALIVE,
    RPC_LEASE_TIME_LEFT,
    RPC_LEASE_REVOKE,
    RPC_METHODS
};

/* The method's path behind the member's prefix. is_old: of a member whose prefix is not /v3 (etcd 3.3,
 * and 3.2's /v3alpha), which had two of them elsewhere. */
const char *rpc_request_path(enum rpc_method method, bool is_old);

struct rpc_request {
    enum rpc_method method;
    uint32_t timeout_ms; /* for everything; 0 = the client's */
    uint32_t attempt_ms; /* for one attempt; 0 = 2 s */
    bool is_idempotent;  /* may be repeated when an outcome is unknown */
    bool is_stream;      /* endless: no time limit after rpc_settle() */
    bool is_urgent;      /* goes before others that wait for a connection */
    struct member *pin;  /* this member only, one attempt; NULL = any */
    /* Write the body for an attempt on this member. A status other than OK that it leaves in `body`
     * ends the rpc. */
    void (*build)(void *arg, const struct member *member, struct buffer *body);
    /* A piece of the answer; with it the time limits count from the last 16 KiB. Other than OK ends
     * the rpc with that status and *why, but BAD_REPLY is tried again elsewhere. NULL: the answer
     * is collected. */
    enum status (*data)(void *arg, const char *octets, size_t len, struct detail *why);
    /* Whether the whole of an answer with status 200 makes sense: OK, or BAD_REPLY with *why, which
     * is tried again elsewhere, or, for a write that may not be repeated, an unknown outcome.
     * `reply` is what was collected, NUL-terminated, or NULL. */
    enum status (*check)(void *arg, const char *reply, size_t len, struct detail *why);
    /* Whether another attempt may follow an answer that made no sense; NULL: yes. */
    bool (*may_repeat)(void *arg);
    /* Once and last. */
    void (*done)(void *arg, enum status status, const struct detail *why);
    void *arg;
};

#endif
