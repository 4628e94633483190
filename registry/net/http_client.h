/* registry/net/http_client.h - HTTP requests by libcurl's multi interface on a libuv loop.
 *
 * HTTP/1.1 also over TLS: a gateway's plain port hands HTTP/2 to gRPC, and one connection per
 * running request keeps a large read from starving the watch. No proxy: etcd is near, and one in
 * the environment is meant for the web. Connections are kept and used again.
 *
 * libcurl must not be called from inside its own callbacks; so what is started or cancelled there
 * is put off until libcurl has returned. The process must ignore SIGPIPE.
 *
 * Threads: belongs to the thread that runs its loop. */
#ifndef REGISTRY_NET_HTTP_CLIENT_H
#define REGISTRY_NET_HTTP_CLIENT_H

#include "http_request.h"
#include "tls_files.h"

#include <uv.h>

struct http_client;
struct http_client_request;

/* `tls` is shared. NO_MEMORY, SYSTEM. */
MUST_USE enum status http_client_open(uv_loop_t *loop, struct tls_files *tls,
                                      struct http_client **out, struct detail *why);

/* What later requests use. Those under way keep what they have; a connection that was made with
 * something else is not used again. */
void http_client_set_tls(struct http_client *http, struct tls_files *tls);

/* Cancel all requests and release; the handles close on the loop's next turns. */
void http_client_close(struct http_client *http);

/* NULL: no memory; nothing will be called. */
MUST_USE struct http_client_request *http_client_start(struct http_client *http,
                                                       const struct http_client_options *options,
                                                       http_client_data *data,
                                                       http_client_done *done, void *arg);

/* Nothing is called any more. Not after `done`. True: the request may have reached the server. */
bool http_client_cancel(struct http_client_request *request);

#endif
