/* registry/etcd/client.h - what the parts of the client share: struct etcd itself.
 *
 * etcd.c makes and releases it; discovery.c fills in members and their addresses, auth.c the token,
 * rpc.c sends requests. Whoever must wait for another's look-up or token waits, and is resumed
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
    struct member *asked; /* by the request */
    struct buffer reply;
    unsigned failures; /* counts up, for those who wait */
    struct gateway_reply_error error;
    struct member *failed;     /* whose answer, or silence, that is */
    uint64_t fetched_ms;       /* when the token was had */
    unsigned refusals;         /* of the password, in a row */
    uint64_t refused_until_ms; /* it is not tried again before */
    struct client_doubt {      /* one for each kind of request */
        unsigned times;        /* in a row that a new token did not help */
        uint64_t until_ms;     /* a refusal is taken as final before */
    } doubts[CLIENT_KINDS];
};

struct client_discovery {
    char *domain; /* NULL = not wanted */
    bool is_https;
    bool is_busy, is_second; /* is_second: the other of the two names is being looked up */
    uint64_t tried_ms;       /* when the last look-up began, or ended; 0 = never */
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

/* auth.c: the token that stands for a user and a password. A password check costs etcd some 70 ms and
 * a round of consensus, so there is one token for all requests, fetched when it is first needed and
 * again when etcd no longer knows it. */

/* Whether a token must be fetched before anything else can be asked. */
bool auth_is_needed(const struct client_auth *auth);

/* Ask this member, whose prefix is known, for a token, unless a request is under way. All waiting
 * calls are woken at the end: then there is a token, or `failures` has gone up and `error` says
 * why. NO_MEMORY. */
MUST_USE enum status auth_fetch(struct etcd *etcd, struct member *member);

/* etcd refused the token that was sent with a request (NULL = none): it is not used again. */
void auth_forget(struct client_auth *auth, const char *token);

/* Permission was denied to a request of this kind (< CLIENT_KINDS) that had this token (NULL =
 * none). etcd 3.3, and 3.4 and 3.5 from before September 2022, say that of a watch whose token they
 * do not know, too. True: there is a newer token, or this one is forgotten; the request is worth
 * another try. False: the refusal is final. What a new token does not mend is doubted
 * again after 5 s, doubled each time up to 5 minutes: a password check is not for the asking. */
bool auth_doubt(struct client_auth *auth, unsigned kind, const char *token, uint64_t now_ms);

/* A request of this kind was allowed. */
void auth_trust(struct client_auth *auth, unsigned kind);

/* Whether the password was refused so lately that it is not worth another try: 1 s after the first
 * time, doubled up to 10 s. `error` says what etcd said. */
bool auth_is_refused(const struct client_auth *auth, uint64_t now_ms);

/* etcd has authentication switched off. */
void auth_switch_off(struct client_auth *auth);

/* Take another password. NO_MEMORY. */
MUST_USE enum status auth_set_password(struct client_auth *auth, const char *password);

void auth_clear(struct client_auth *auth);

/* discovery.c: where the members are: SRV discovery and host addresses. Of each there is one
 * look-up at a time, for all that wait. */

enum discovery_state { DISCOVERY_READY, DISCOVERY_PENDING, DISCOVERY_FAILED };

/* Whether there are members to ask. With --etcd-discovery-srv and none yet, a look-up is started,
 * unless one failed within the last second (FAILED: see etcd->discovery.why). */
enum discovery_state discovery_members(struct etcd *etcd);

/* No member answers: look up the SRV records again, at most every 30 s. */
void discovery_refresh(struct etcd *etcd);

/* Start looking up the member's addresses unless that is under way. FAILED: it could not be
 * started. When it ends, member->addresses is set or else member->reason says why. A look-up that
 * fails leaves the addresses of an earlier one in use; it is repeated after 5 s. */
enum discovery_state discovery_addresses(struct etcd *etcd, struct member *member);

#endif
