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

#include "tls_files.h"

#include <curl/curl.h>
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

/* All is copied. */
struct http_client_options {
    const char *url;
    const char *addresses;  /* CURLOPT_RESOLVE's HOST:PORT:ADDRESS,..; NULL for a literal */
    const char *connect_to; /* CURLOPT_CONNECT_TO's HOST:PORT:HOST:PORT; NULL or "" = the URL's */
    struct curl_slist *headers; /* owned by the request, even if it fails */
    const char *body;           /* NULL = GET, else POST */
    size_t body_len;
    size_t buffer_len;   /* octets received at a time; 0 = libcurl's 16 KiB */
    uint32_t timeout_ms; /* for all of it; 0 = none */
    bool is_once; /* never sent twice: libcurl does that when a kept connection turns out dead */
};

struct http_client_result {
    CURLcode code;
    long status;       /* of HTTP; 0 = there was none */
    bool was_sent;     /* the request may have reached the server */
    enum status kind;  /* of a failure: as http_failure_explain() says */
    struct detail why; /* of a failure: "connection refused" */
};

/* `data` gets each piece as it comes, with the HTTP status; false gives up (code WRITE_ERROR).
 * `done` comes once, unless cancelled, and is the last. Both from the loop. */
typedef bool http_client_data(void *arg, long status, const char *octets, size_t len);
typedef void http_client_done(void *arg, const struct http_client_result *result);

/* NULL: no memory; nothing will be called. */
MUST_USE struct http_client_request *http_client_start(struct http_client *http,
                                                       const struct http_client_options *options,
                                                       http_client_data *data,
                                                       http_client_done *done, void *arg);

/* Nothing is called any more. Not after `done`. True: the request may have reached the server. */
bool http_client_cancel(struct http_client_request *request);

#endif
