/* libcurl says which sockets it waits for and until when; the loop's polls and one timer lead back
 * into it by http_client_drive(), which then collects what has ended. Nothing of libcurl may be
 * called from inside its callbacks, and our owners' callbacks may start, cancel and close. So
 * `depth` counts both kinds of calls that are on the stack: meanwhile a request is only put into
 * the list or marked, and whoever leaves last adds and removes, or destroys the client. */
#include "http_client.h"

#include "http_failure.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/queue.h>

/* libcurl would keep up to four for each request under way: those of a burst would stay open. */
#define HTTP_CLIENT_CONNECTIONS_KEPT     16
#define HTTP_CLIENT_CONNECTIONS_MAX      64L
#define HTTP_CLIENT_KEEPALIVE_IDLE_S     5
#define HTTP_CLIENT_KEEPALIVE_INTERVAL_S 2
#define HTTP_CLIENT_USER_TIMEOUT_MS      8000

/* A request is in one of two lists: those in the multi handle, and those that wait to be added. */
struct http_client_request {
    struct http_client *http;
    struct tls_files *tls; /* libcurl borrows what is in it */
    CURL *easy;
    struct curl_slist *headers, *addresses, *connect_to;
    http_client_data *data;
    http_client_done *done;
    void *arg;
    unsigned sends;
    bool is_once, is_added, is_cancelled, is_unwatched; /* a socket of it cannot be waited for */
    bool is_cert_asked; /* the server requested a client certificate */
    LIST_ENTRY(http_client_request) node;
    char error[CURL_ERROR_SIZE];
};

struct http_client {
    uv_loop_t *loop;
    uv_timer_t timer;
    CURLM *multi;
    struct tls_files *tls;
    LIST_HEAD(, http_client_request) requests;
    unsigned depth;    /* calls of libcurl and of callbacks under way */
    bool has_deferred; /* requests to add or to remove when depth is 0 */
    bool is_closing, has_unwatched;
};

struct http_client_socket {
    uv_poll_t poll;
    struct http_client *http;
    curl_socket_t fd;
};

static void http_client_request_free(struct http_client_request *request)
{
    if (!request)
        return;
    LIST_REMOVE(request, node);
    if (request->is_added)
        curl_multi_remove_handle(request->http->multi, request->easy);
    curl_easy_cleanup(request->easy);
    curl_slist_free_all(request->headers);
    curl_slist_free_all(request->addresses);
    tls_files_free(request->tls);
    curl_slist_free_all(request->connect_to);
    free(request);
}

static void http_client_free_timer(uv_handle_t *handle)
{
    free(handle->data);
    curl_global_cleanup(); /* libcurl counts: there is one for each http_client_open() */
}

static void http_client_destroy(struct http_client *http)
{
    struct http_client_request *next, *request = LIST_FIRST(&http->requests);
    for (; request; request = next) {
        next = LIST_NEXT(request, node);
        http_client_request_free(request);
    }
    curl_multi_cleanup(http->multi);
    tls_files_free(http->tls);
    uv_close((uv_handle_t *)&http->timer, http_client_free_timer);
}

/* Add and remove what could not be from inside a callback of libcurl. A request that libcurl does
 * not take stays in the list, and is offered again the next time. */
static void http_client_run_deferred(struct http_client *http)
{
    struct http_client_request *next;
    http->has_deferred = false;
    for (struct http_client_request *request = LIST_FIRST(&http->requests); request;
         request = next) {
        next = LIST_NEXT(request, node);
        if (request->is_cancelled)
            http_client_request_free(request);
        else if (!request->is_added)
            request->is_added = curl_multi_add_handle(http->multi, request->easy) == CURLM_OK;
    }
}

static void http_client_leave(struct http_client *http)
{
    if (--http->depth > 0)
        return;
    if (http->is_closing)
        http_client_destroy(http);
    else if (http->has_deferred)
        http_client_run_deferred(http);
}

static void http_client_explain(struct http_client_request *request,
                                struct http_client_result *result)
{
    struct http_failure failure = {.code = result->code,
                                   .said = request->error,
                                   .has_status = result->status != 0,
                                   .is_cert_asked = request->is_cert_asked,
                                   .has_cert = request->tls->cert.data != NULL};
    curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &failure.os_errno);
    curl_easy_getinfo(request->easy, CURLINFO_SSL_VERIFYRESULT, &failure.verdict);
    result->kind = http_failure_explain(&failure, &result->why);
}

static void http_client_finish(struct http_client_request *request, CURLcode code)
{
    struct http_client_result result = {.code = code, .was_sent = request->sends > 0};
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &result.status);
    if (code != CURLE_OK)
        http_client_explain(request, &result);
    http_client_done *done = request->done;
    void *arg = request->arg;
    /* Freed first: `done` may close the client, which frees all that is in the list. */
    http_client_request_free(request);
    done(arg, &result);
}

static void http_client_end(struct http_client_request *request, CURLcode code)
{
    if (request->is_cancelled)
        http_client_request_free(request);
    else
        http_client_finish(request, code);
}

/* What nobody waits for would hang. `done` frees no other request: depth is not 0. */
static void http_client_end_unwatched(struct http_client *http)
{
    struct http_client_request *next, *request;
    request = http->has_unwatched ? LIST_FIRST(&http->requests) : NULL;
    for (http->has_unwatched = false; request; request = next) {
        next = LIST_NEXT(request, node);
        if (request->is_unwatched)
            http_client_end(request, CURLE_OUT_OF_MEMORY);
    }
}

static void http_client_drive(struct http_client *http, curl_socket_t fd, int events)
{
    int running, left;
    http->depth++;
    curl_multi_socket_action(http->multi, fd, events, &running);
    /* `done` may close the client: what else has ended is told to nobody then. */
    for (CURLMsg *message;
         !http->is_closing && (message = curl_multi_info_read(http->multi, &left));) {
        struct http_client_request *request = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
        http_client_end(request, message->data.result); /* read now: the message goes with it */
    }
    http_client_end_unwatched(http);
    http_client_leave(http);
}

static void http_client_on_timer(uv_timer_t *timer)
{
    http_client_drive(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int http_client_set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct http_client *http = arg;
    (void)multi;
    /* Not at once even when it is due at once: libcurl is on the stack here. */
    if (timeout_ms < 0)
        return uv_timer_stop(&http->timer);
    return uv_timer_start(&http->timer, http_client_on_timer, (uint64_t)timeout_ms, 0);
}

static void http_client_on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_client_socket *socket = poll->data;
    /* CURL_CSELECT_ERR alone makes libcurl fail without a reason; reading, it gets the errno. */
    int flags = status < 0 ? CURL_CSELECT_ERR | CURL_CSELECT_IN | CURL_CSELECT_OUT : 0;
    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    http_client_drive(socket->http, socket->fd, flags);
}

static void http_client_free_socket(uv_handle_t *handle)
{
    free(handle->data);
}

static struct http_client_socket *http_client_new_socket(struct http_client *http, curl_socket_t fd)
{
    struct http_client_socket *socket = calloc(1, sizeof(*socket));
    if (!socket || uv_poll_init_socket(http->loop, &socket->poll, fd) != 0) {
        free(socket);
        return NULL;
    }
    socket->poll.data = socket;
    socket->http = http;
    socket->fd = fd;
    curl_multi_assign(http->multi, fd, socket);
    return socket;
}

static int http_client_set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
    struct http_client *http = arg;
    struct http_client_socket *socket = assigned;
    if (what == CURL_POLL_REMOVE) {
        /* Now: libcurl closes the descriptor next, and the number may come back with the next
         * connection before the loop has closed the handle. */
        if (socket) {
            uv_poll_stop(&socket->poll);
            uv_close((uv_handle_t *)&socket->poll, http_client_free_socket);
            curl_multi_assign(http->multi, fd, NULL);
        }
        return 0;
    }
    int events =
        (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
    socket = socket ? socket : http_client_new_socket(http, fd);
    if (socket && uv_poll_start(&socket->poll, events, http_client_on_poll) == 0)
        return 0;
    /* Not -1: libcurl 7.88 then keeps what it knows of the descriptor, and reads the freed request
     * when the number comes back. So the request is ended as soon as libcurl is off the stack. */
    struct http_client_request *request = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
    request->is_unwatched = http->has_unwatched = true;
    return 0;
}

enum status http_client_open(uv_loop_t *loop, struct tls_files *tls, struct http_client **out,
                             struct detail *why)
{
    struct http_client *http = calloc(1, sizeof(*http));
    if (!http)
        return detail_set(why, STATUS_NO_MEMORY, "out of memory");
    bool is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    http->multi = is_ready ? curl_multi_init() : NULL;
    if (!http->multi) {
        if (is_ready)
            curl_global_cleanup();
        free(http);
        return detail_set(why, STATUS_SYSTEM, "libcurl cannot be initialised");
    }
    http->loop = loop;
    http->tls = tls_files_share(tls);
    uv_timer_init(loop, &http->timer);
    http->timer.data = http;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, http_client_set_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, http_client_set_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CLIENT_CONNECTIONS_KEPT);
    /* More requests wait: a thousand keepers that come back from one outage would take all the
     * descriptors that a process may have. */
    curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, HTTP_CLIENT_CONNECTIONS_MAX);
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    *out = http;
    return STATUS_OK;
}

void http_client_close(struct http_client *http)
{
    http->is_closing = true;
    struct http_client_request *request = LIST_FIRST(&http->requests);
    for (; request; request = LIST_NEXT(request, node))
        request->is_cancelled = true; /* libcurl may be on the stack, and still call back */
    if (http->depth == 0)
        http_client_destroy(http);
}

static size_t http_client_on_data(char *octets, size_t size, size_t count, void *arg)
{
    struct http_client_request *request = arg;
    long status = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    size_t len = size * count;
    /* libcurl takes any other number than `len` for a failure. */
    if (request->is_cancelled || !request->data(request->arg, status, octets, len))
        return len ? 0 : 1;
    return len;
}

/* libcurl sends a request again by itself when a kept connection closes before the first octet
 * of the answer. The server may have executed it, so a write that must happen at most once
 * (is_once) is stopped before its second sending. */
static int http_client_on_send(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct http_client_request *request = arg;
    (void)ip, (void)local_ip, (void)port, (void)local_port;
    if (request->is_cancelled || (request->is_once && request->sends > 0))
        return CURL_PREREQFUNC_ABORT;
    request->sends++;
    return CURL_PREREQFUNC_OK;
}

/* So that a dead link is noticed within seconds, also by a watch, which sends nothing. With it the
 * kernel ends a connection whose keep-alive probes nobody has answered for so long, however many it
 * would send (tcp(7)). */
static int http_client_on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    const unsigned timeout_ms = HTTP_CLIENT_USER_TIMEOUT_MS;
    (void)arg, (void)purpose;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
    return CURL_SOCKOPT_OK;
}

void http_client_set_tls(struct http_client *http, struct tls_files *tls)
{
    tls_files_free(http->tls);
    http->tls = tls_files_share(tls);
}

/* Not copied: the request holds a reference to its struct tls_files. */
static void http_client_set_blob(CURL *easy, CURLoption option, const struct file *file)
{
    struct curl_blob blob = {file->data, file->len, CURL_BLOB_NOCOPY};
    if (file->data)
        curl_easy_setopt(easy, option, &blob);
}

/* OpenSSL calls this when the server requests a client certificate, whether or not we have one.
 * http_failure.c needs to know: a handshake that fails after it mostly failed for that. TLS 1.3 lets
 * a server ask on a kept connection, too (a proxy, by the path). The request that opened it is gone
 * then: so the connection knows the client alone, which outlives it, and the request is the one that
 * uses it now. */
static int http_client_on_cert_asked(SSL *ssl, void *arg)
{
    struct http_client *http = arg;
    struct http_client_request *request;
    LIST_FOREACH(request, &http->requests, node)
    {
        struct curl_tlssessioninfo *session = NULL;
        if (curl_easy_getinfo(request->easy, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK &&
            session->internals == ssl)
            request->is_cert_asked = true;
    }
    return 1; /* go on, with what libcurl has set */
}

static CURLcode http_client_on_context(CURL *easy, void *context, void *arg)
{
    (void)easy;
    /* Only servers of TLS 1.2 renegotiate, and etcd is none that does. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_cert_cb(context, http_client_on_cert_asked, arg);
    return CURLE_OK;
}

/* Whoever names authorities trusts no others, so libcurl's defaults are cleared: it would trust the
 * system's directory as well. */
static void http_client_use_tls(struct http_client_request *request)
{
    CURL *easy = request->easy;
    const struct tls_files *tls = request->tls;
    if (tls->ca.data || tls->ca_directory) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(easy, CURLOPT_CAPATH, tls->ca_directory);
    }
    http_client_set_blob(easy, CURLOPT_CAINFO_BLOB, &tls->ca);
    http_client_set_blob(easy, CURLOPT_SSLCERT_BLOB, &tls->cert);
    http_client_set_blob(easy, CURLOPT_SSLKEY_BLOB, &tls->key);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, http_client_on_context);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, request->http);
}

static void http_client_set_callbacks(struct http_client_request *request)
{
    CURL *easy = request->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_client_on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, http_client_on_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, request);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, http_client_on_socket);
}

/* Where to connect to. Fails without memory: if the lists were left out, libcurl would look the
 * name up itself and might reach another host. */
static bool http_client_set_place(CURL *easy, CURLoption option, const char *text,
                                  struct curl_slist **list)
{
    if (!text || !text[0])
        return true;
    *list = curl_slist_append(NULL, text);
    return *list && curl_easy_setopt(easy, option, *list) == CURLE_OK;
}

static bool http_client_set_options(struct http_client_request *request,
                                    const struct http_client_options *options)
{
    CURL *easy = request->easy;
    http_client_set_callbacks(request);
    http_client_use_tls(request);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    /* Else libcurl ignores SIGPIPE during each call and then puts back what it found, which another
     * thread may have changed meanwhile. */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)HTTP_CLIENT_KEEPALIVE_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)HTTP_CLIENT_KEEPALIVE_INTERVAL_S);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
    if (options->buffer_len)
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)options->buffer_len);
    if (request->headers)
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
    if (!http_client_set_place(easy, CURLOPT_RESOLVE, options->addresses, &request->addresses) ||
        !http_client_set_place(easy, CURLOPT_CONNECT_TO, options->connect_to, &request->connect_to))
        return false;
    if (options->body) {
        /* Before the body, of which libcurl else copies strlen() octets. */
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)options->body_len);
        if (curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, options->body) != CURLE_OK)
            return false;
    }
    return curl_easy_setopt(easy, CURLOPT_URL, options->url) == CURLE_OK;
}

struct http_client_request *http_client_start(struct http_client *http,
                                              const struct http_client_options *options,
                                              http_client_data *data, http_client_done *done,
                                              void *arg)
{
    struct http_client_request *request = calloc(1, sizeof(*request));
    if (!request) {
        curl_slist_free_all(options->headers);
        return NULL;
    }
    LIST_INSERT_HEAD(&http->requests, request, node);
    request->http = http;
    request->tls = tls_files_share(http->tls);
    request->headers = options->headers;
    request->data = data;
    request->done = done;
    request->arg = arg;
    request->is_once = options->is_once;
    request->easy = curl_easy_init();
    if (!request->easy || !http_client_set_options(request, options) || http->is_closing) {
        http_client_request_free(request);
        return NULL;
    }
    /* Added now, unless a call is on the stack. */
    http->has_deferred = true;
    http->depth++;
    http_client_leave(http);
    return request;
}

/* Inside a callback of libcurl the request is only marked: depth is not 0 then. */
bool http_client_cancel(struct http_client_request *request)
{
    struct http_client *http = request->http;
    bool was_sent = request->sends > 0;
    request->is_cancelled = true;
    http->has_deferred = true;
    http->depth++;
    http_client_leave(http);
    return was_sent;
}
