/* cli/serve/status_http.h - HTTP for the status pages of `serve`, for Prometheus and for probes.
 *
 * GET and HEAD; one request to a connection. libmicrohttpd answers on a thread of its own, so that
 * no client costs the control thread a turn.
 *
 * A connection has 10 s from its beginning to its end, however busy it is. There are at most
 * --http-connections; with one more, the oldest is ended: it is the one that has been longest
 * without a whole request, which is answered at once. So a probe gets in, whatever others leave
 * open. No limit holds for a single address: behind a proxy all have the same. No TLS and no
 * passwords: listen where only those who may know can connect.
 *
 * Threads: belongs to the control thread, which never waits for the other: what it would have to
 * wait for it leaves for its next turn. The process must ignore SIGPIPE. */
#ifndef CLI_SERVE_STATUS_HTTP_H
#define CLI_SERVE_STATUS_HTTP_H

#include "registry/base/status.h"

#include <uv.h>

struct status_pages;

/* Descriptors: its own, and connections above --http-connections that are being ended. */
#define STATUS_HTTP_DESCRIPTORS 2
#define STATUS_HTTP_SPARE       32

struct status_http;

/* Bind where the pages' options say, while this process may. `pages` must outlive it; timeout_s: of
 * a connection; 0 = 10. OK: *out is the caller's, to be given to status_http_stop();
 * NULL without --http, which start and stop accept. BAD_INPUT: --http is no address with a port.
 * SYSTEM: *why names the address and the reason. NO_MEMORY. */
MUST_USE enum status status_http_open(uv_loop_t *loop, struct status_pages *pages,
                                      uint32_t timeout_s, struct status_http **out,
                                      struct detail *why);
/* "http://127.0.0.1:9153": with the port that was bound, for messages. Not of NULL. */
const char *status_http_url(const struct status_http *http);

/* Start the thread, as the user that it is to run as: capabilities are a thread's own. From now on
 * each turn of the loop is one of the pages'. SYSTEM. */
MUST_USE enum status status_http_start(struct status_http *http, struct detail *why);

/* Close all connections and join the thread: it waits for no client. The handles close on the
 * loop's next turns, and all is freed then. */
void status_http_stop(struct status_http *http);

#endif
