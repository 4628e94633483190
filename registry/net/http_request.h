/* registry/net/http_request.h - one HTTP request as its owner describes it, whom it tells, and how it
 * ended.
 *
 * Threads: as http_client.h. */
#ifndef REGISTRY_NET_HTTP_REQUEST_H
#define REGISTRY_NET_HTTP_REQUEST_H

#include "registry/base/status.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    bool is_once;   /* never sent twice: libcurl does that when a kept connection turns out dead */
    bool is_urgent; /* does not wait until others have ended */
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

#endif
