/* dns/server/server.h - sockets and worker threads in front of answer().
 *
 * server_open() binds everything in the caller's thread (so that privileges can be dropped next),
 * with a plain bind first: a second server on the same address fails clearly, although each worker
 * then has a SO_REUSEPORT socket of its own. server_start() starts the workers. A worker runs a
 * libuv loop over its UDP sockets (recvmmsg and sendmmsg on preset buffers), its TCP listeners and
 * their connections.
 *
 * Threads: all calls from one thread. The zone is read by the workers until server_stop() returns.
 */
#ifndef DNS_SERVER_SERVER_H
#define DNS_SERVER_SERVER_H

#include "acl.h"
#include "counters.h"
#include "dns/answer/answer.h"
#include "dns/transfer/axfr.h"
#include "registry/base/log.h"

#include <netinet/in.h>

struct server;
struct zone;

#define SERVER_LISTEN_MAX 32

struct server_listen {
    struct sockaddr_storage address;
    bool may_be_missing; /* a default: skipped when the machine lacks its address family */
};

struct server_options {
    const struct server_listen *listen;
    size_t listen_count;
    unsigned workers;          /* 0 = one per CPU that this process may use */
    const struct zone *zone;   /* must outlive the server */
    unsigned tcp_connections;  /* of all workers together; 1024 */
    unsigned tcp_idle_s;       /* 10 */
    struct acl allow_query;    /* empty = any; copied; others get REFUSED, EDE 18 */
    struct acl allow_transfer; /* empty = nobody; copied; others get REFUSED, EDE 18 */
    axfr_hand_over
        *transfer; /* makes the transfers, until server_stop() returns; NULL: there are none */
    void *transfer_arg;
    uint32_t rate_limit; /* answers a second per client prefix, loopback exempt; 0 = off */
    struct log log;
};

/* Bind. Port 0 in an address asks for a free one, the same for UDP and TCP and all workers.
 * OK: *out is the caller's, to be given to server_stop().
 * SYSTEM: *why names the address and the reason. BAD_INPUT, NO_MEMORY. */
MUST_USE enum status server_open(const struct server_options *options, struct server **out,
                                 struct detail *why);

/* "127.0.0.1:5300, [::1]:5300": what was bound, for the message. Cut to fit. */
void server_addresses(const struct server *server, char *out, size_t size);

/* Start the workers, which answer according to `env` (copied). SYSTEM, NO_MEMORY. */
MUST_USE enum status server_start(struct server *server, const struct answer_env *env,
                                  struct detail *why);

/* Answer according to this from now on (copied; published without stopping anyone). */
MUST_USE enum status server_set_env(struct server *server, const struct answer_env *env);

/* Add up the workers' counters. */
void server_counters(const struct server *server, struct counters *out);

/* Stop accepting, answer what has been received, close, join, free. NULL is accepted. */
void server_stop(struct server *server);

#endif
