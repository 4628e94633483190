/* registry/etcd/client.h - what the parts of the client share: struct etcd itself.
 *
 * etcd.c makes and releases it; discovery.c fills in members and their addresses, auth.c the token,
 * rpc.c sends requests. Whoever must wait for another's look-up or token is parked, and woken
 * through `wake`.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_CLIENT_H
#define REGISTRY_ETCD_CLIENT_H

#include "gateway_reply.h"
#include "member.h"
#include "registry/base/buffer.h"
#include "registry/base/log.h"
#include "registry/net/http_client.h"

#include <sys/queue.h>

#define CLIENT_KINDS 8 /* of requests, at least */

struct rpc;

struct client_auth {
    char *user, *password; /* user NULL = none was given */
    char *token;           /* NULL = none yet */
    bool is_off;           /* etcd said that it has authentication switched off */
    struct http_client_request *request;
    struct member *member; /* that is asked */
    struct buffer reply;
    unsigned failures; /* counts up, for those who wait */
    struct gateway_reply_error error;
    uint64_t fetched_ms;       /* when the token was had */
    unsigned refusals;         /* of the password, in a row */
    uint64_t refused_until_ms; /* it is not tried again before */
    struct client_doubt {      /* one for each kind of request */
        unsigned times;        /* in a row that a new token did not help */
        uint64_t until_ms;     /* a refusal is believed before */
    } doubts[CLIENT_KINDS];
};

struct client_discovery {
    char *domain; /* NULL = not wanted */
    bool is_https;
    bool is_busy, is_second; /* is_second: the other of the two names is being looked up */
    uint64_t tried_ms;       /* 0 = never */
    unsigned failures;
    enum status status;
    struct detail why;
};

struct etcd {
    uv_loop_t *loop;
    struct http_client *http;
    struct resolver *resolver; /* NULL until something needs a look-up */
    struct member_set members;
    struct client_auth auth;
    struct client_discovery discovery;
    char *ca_bundle, *cert, *key;
    bool may_use_tls;
    uint32_t timeout_ms;
    struct log log;
    LIST_HEAD(, rpc) rpcs; /* under way */
    void (*wake)(struct etcd *etcd);
    bool is_closing;
    uv_timer_t anchor; /* its closing is when the memory goes */
};

#endif
