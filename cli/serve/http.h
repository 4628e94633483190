/* cli/serve/http.h - the status pages of `serve`, over HTTP: for Prometheus and for probes.
 *
 *   /metrics   what the server counts (metrics.h)
 *   /healthz   200 as long as the control thread turns
 *   /readyz    200 "ok" or "stale" when queries are answered, 503 "not ready" or "expired" when not
 *
 * GET and HEAD; one request to a connection, which is closed after the reply or when its time is
 * up, however busy it is. A client that is slow costs its place among HTTP_CONNECTIONS_MAX and no
 * more, and has at most HTTP_CONNECTIONS_PER_IP of these; the kernel queues who comes when all are
 * taken. No TLS and no passwords: listen where only those who may know can connect.
 *
 * libmicrohttpd runs without threads on the caller's loop and never waits. How often it may run is
 * bounded, so that a condition that it would wait for busily, as running out of descriptors, leaves
 * the loop to its other work.
 *
 * Threads: belongs to the thread that runs the loop; callbacks come from it. The process must
 * ignore SIGPIPE. */
#ifndef CLI_SERVE_HTTP_H
#define CLI_SERVE_HTTP_H

#include "dns/answer/answer.h"
#include "registry/base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HTTP_CONNECTIONS_MAX    64
#define HTTP_CONNECTIONS_PER_IP 16
#define HTTP_TIMEOUT_MS         10000

struct http_server;

struct http_server_options {
    const char *listen;  /* "127.0.0.1:9153", "[::1]:9153"; port 0 asks for a free one */
    uint32_t timeout_ms; /* for a connection, from its beginning to its end; 0 = HTTP_TIMEOUT_MS */
    enum answer_state (*state)(void *arg);
    /* OK: *text is malloc()ed and the server's. Neither callback may stop the server. */
    enum status (*metrics)(void *arg, char **text, size_t *len);
    void *arg;
};

/* Bind, and answer from the loop's next turn on. Nothing but `arg` is kept by reference.
 * OK: *out is the caller's, to be given to http_server_stop(). BAD_INPUT: `listen` is no address
 * with a port. SYSTEM: *why names the address and the reason. NO_MEMORY. */
MUST_USE enum status http_server_start(uv_loop_t *loop, const struct http_server_options *options,
                                       struct http_server **out, struct detail *why);

/* "http://127.0.0.1:9153": with the port that was bound, for messages. */
const char *http_server_url(const struct http_server *server);

/* Close all connections. No callback comes after this; the handles close on the loop's next turns,
 * and the server is freed then. NULL is accepted. */
void http_server_stop(struct http_server *server);

#endif
