/* registry/net/http_handle.h - one request as libcurl knows it: the options of its easy handle, and what
 * libcurl calls while it is under way.
 *
 * What drives all requests is http_client.c. Threads: as http_client.h. */
#ifndef REGISTRY_NET_HTTP_HANDLE_H
#define REGISTRY_NET_HTTP_HANDLE_H

#include "http_request.h"
#include "tls_files.h"

#include <sys/queue.h>
#include <uv.h>

/* In its client's list from its start to its end; in that of those that wait, too, until libcurl gets it;
 * is_added: libcurl has it. */
struct http_client_request {
    struct http_client *http;
    struct tls_files *tls; /* libcurl borrows what is in it */
    CURL *easy;
    struct curl_slist *headers, *addresses, *connect_to;
    http_client_data *data;
    http_client_done *done;
    void *arg;
    unsigned sends;
    bool is_once, is_urgent, is_waiting, is_added, is_cancelled;
    bool is_stuck;      /* libcurl did not take it, or a socket of it cannot be waited for */
    bool is_cert_asked; /* the server requested a client certificate */
    bool lacks_option;  /* libcurl did not take it */
    LIST_ENTRY(http_client_request) node;
    TAILQ_ENTRY(http_client_request) place; /* among those that wait */
    char error[CURL_ERROR_SIZE];
};

struct http_client {
    uv_loop_t *loop;
    uv_timer_t timer;
    CURLM *multi;
    struct tls_files *tls;
    LIST_HEAD(, http_client_request) requests;
    TAILQ_HEAD(http_client_queue, http_client_request) waiting; /* the urgent ones first */
    unsigned under_way;                                         /* that are not urgent */
    unsigned depth;     /* calls of libcurl and of callbacks under way */
    bool has_cancelled; /* requests to remove when depth is 0 */
    bool has_stuck;     /* requests to end when libcurl is off the stack */
    bool is_closing;
};

/* Give libcurl all that it needs for request->easy; `headers`, `tls` and the callbacks stand in the
 * request already. False: without memory, or the URL is none. */
bool http_handle_set_options(struct http_client_request *request,
                             const struct http_client_options *options);

#endif
