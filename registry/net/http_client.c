/* libcurl says which sockets it waits for and until when; the loop's polls and one timer lead back
 * into it by http_client_drive(), which then collects what has ended. Nothing of libcurl may be
 * called from inside its callbacks, and our owners' callbacks may start, cancel and close. So
 * `depth` counts both kinds of calls that are on the stack: meanwhile a request is only put into
 * the list or marked, and whoever leaves last adds and removes, or destroys the client. */
#include "http_client.h"

#include "http_failure.h"
#include "http_handle.h"

#include <stdlib.h>

/* libcurl would keep up to four for each request under way: those of a burst would stay open. */
#define HTTP_CLIENT_CONNECTIONS_KEPT 16
#define HTTP_CLIENT_CONNECTIONS_MAX  64
#define HTTP_CLIENT_URGENT           4 /* connections more, for what is urgent */

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
    if (request->is_waiting)
        TAILQ_REMOVE(&request->http->waiting, request, place);
    else if (!request->is_urgent)
        request->http->under_way--;
    if (request->is_added)
        curl_multi_remove_handle(request->http->multi, request->easy);
    curl_easy_cleanup(request->easy);
    curl_slist_free_all(request->headers);
    curl_slist_free_all(request->addresses);
    tls_files_free(request->tls);
    curl_slist_free_all(request->connect_to);
    free(request);
}

static void http_client_on_timer(uv_timer_t *timer);

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

static void http_client_remove_cancelled(struct http_client *http)
{
    struct http_client_request *next, *request;
    request = http->has_cancelled ? LIST_FIRST(&http->requests) : NULL;
    for (http->has_cancelled = false; request; request = next) {
        next = LIST_NEXT(request, node);
        if (request->is_cancelled)
            http_client_request_free(request);
    }
}

/* Those that wait, as far as there is room. libcurl would let them wait, too, but one like the other:
 * a lease that is to be renewed would run out behind all that is written under it. */
static void http_client_add_waiting(struct http_client *http)
{
    struct http_client_request *request;
    while ((request = TAILQ_FIRST(&http->waiting)) &&
           (request->is_urgent || http->under_way < HTTP_CLIENT_CONNECTIONS_MAX)) {
        TAILQ_REMOVE(&http->waiting, request, place);
        request->is_waiting = false;
        http->under_way += !request->is_urgent;
        request->is_added = curl_multi_add_handle(http->multi, request->easy) == CURLM_OK;
        request->is_stuck = !request->is_added;
        http->has_stuck |= request->is_stuck;
    }
}

/* Add and remove what could not be from inside a callback of libcurl. A request that libcurl does
 * not take ends in the loop's next turn: whoever has just begun it does not know it yet. libcurl sets
 * its timer again after a turn that comes too early. */
static void http_client_run_deferred(struct http_client *http)
{
    http_client_remove_cancelled(http);
    http_client_add_waiting(http);
    if (http->has_stuck)
        uv_timer_start(&http->timer, http_client_on_timer, 0, 0);
}

static void http_client_leave(struct http_client *http)
{
    if (--http->depth > 0)
        return;
    if (http->is_closing)
        http_client_destroy(http);
    else
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
static void http_client_end_stuck(struct http_client *http)
{
    struct http_client_request *next, *request;
    request = http->has_stuck ? LIST_FIRST(&http->requests) : NULL;
    for (http->has_stuck = false; request; request = next) {
        next = LIST_NEXT(request, node);
        if (request->is_stuck)
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
    http_client_end_stuck(http);
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
    request->is_stuck = http->has_stuck = true;
    return 0;
}

enum status http_client_open(uv_loop_t *loop, struct tls_files *tls, struct http_client **out,
                             struct detail *why)
{
    struct http_client *http = calloc(1, sizeof(*http));
    if (!http)
        return detail_set(why, STATUS_NO_MEMORY, "out of memory");
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    http->multi = code == CURLE_OK ? curl_multi_init() : NULL;
    if (!http->multi) {
        if (code == CURLE_OK)
            curl_global_cleanup();
        free(http);
        return code == CURLE_OK || code == CURLE_OUT_OF_MEMORY
                   ? detail_set(why, STATUS_NO_MEMORY, "out of memory")
                   : detail_set(why, STATUS_SYSTEM, "libcurl: %s", curl_easy_strerror(code));
    }
    http->loop = loop;
    TAILQ_INIT(&http->waiting);
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
    curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      (long)(HTTP_CLIENT_CONNECTIONS_MAX + HTTP_CLIENT_URGENT));
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

void http_client_set_tls(struct http_client *http, struct tls_files *tls)
{
    tls_files_free(http->tls);
    http->tls = tls_files_share(tls);
}

/* Libcurl gets it when there is room. */
static void http_client_queue(struct http_client_request *request, bool is_urgent)
{
    struct http_client *http = request->http;
    request->is_waiting = true;
    request->is_urgent = is_urgent;
    if (is_urgent)
        TAILQ_INSERT_HEAD(&http->waiting, request, place);
    else
        TAILQ_INSERT_TAIL(&http->waiting, request, place);
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
    http_client_queue(request, options->is_urgent);
    request->tls = tls_files_share(http->tls);
    request->headers = options->headers;
    request->data = data;
    request->done = done;
    request->arg = arg;
    request->is_once = options->is_once;
    request->easy = curl_easy_init();
    if (!request->easy || !http_handle_set_options(request, options) || http->is_closing) {
        http_client_request_free(request);
        return NULL;
    }
    /* Added now, unless a call is on the stack. */
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
    http->has_cancelled = true;
    http->depth++;
    http_client_leave(http);
    return was_sent;
}
