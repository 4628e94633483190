#include "status_http.h"

#include "registry/base/address.h"
#include "serve_options.h"
#include "status_pages.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG    1024
#define MEMORY_MAX ((size_t)16384) /* octets a connection: a request's head fits in it */
#define TIMEOUT_S  10
#define BEAT_MS    1000
#define PAUSE_NS   50000000
#define URL_SIZE   96
#define NS_PER_S   UINT64_C(1000000000)

struct status_http_client {
    int fd;            /* -1: free */
    bool has_ended;    /* by us; libmicrohttpd has not closed it yet */
    uint64_t since_ns; /* its beginning; after a whole request it soon ends by itself */
};

struct status_http {
    struct status_pages *pages;
    uint32_t timeout_s;
    int fd;                    /* listening; libmicrohttpd's while it runs */
    struct MHD_Daemon *daemon; /* NULL: not started */
    uv_prepare_t turn;
    uv_timer_t beat;
    unsigned handles; /* not closed yet */
    char url[URL_SIZE];
    unsigned limit, places; /* connections: at most, and room for those that are being ended */
    pthread_mutex_t lock;   /* of what follows; nobody waits for anything with it */
    unsigned open;          /* connections that are not being ended */
    struct status_http_client clients[];
};

static bool status_http_add_headers(struct MHD_Response *response, const struct status_page *page)
{
    /* A kept connection would be closed as its client is about to use it. RFC 9110: 405 has to say
     * what is allowed. A cache would answer a probe with how things were. */
    return MHD_add_response_header(response, "Connection", "close") == MHD_YES &&
           MHD_add_response_header(response, "Content-Type", page->content_type) == MHD_YES &&
           MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
           (page->status != MHD_HTTP_METHOD_NOT_ALLOWED ||
            MHD_add_response_header(response, "Allow", "GET, HEAD") == MHD_YES);
}

/* MHD_NO closes the connection without a reply. Answered as soon as the head is there: no page
 * takes a body. */
static enum MHD_Result status_http_on_request(void *arg, struct MHD_Connection *connection,
                                              const char *path, const char *method,
                                              const char *version, const char *body,
                                              size_t *body_len, void **context)
{
    (void)version, (void)body, (void)body_len, (void)context;
    struct status_http *http = arg;
    struct status_page page;
    enum MHD_Result result = MHD_NO;
    status_pages_show(http->pages, path, method,
                      MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host"), &page);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(page.len, page.text ? page.text : page.line,
                                        page.text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_MUST_COPY);
    if (!response) {
        free(page.text);
        return MHD_NO;
    }
    if (status_http_add_headers(response, &page))
        result = MHD_queue_response(connection, page.status, response);
    MHD_destroy_response(response);
    return result;
}

/* Under the lock. libmicrohttpd then finds it shut down, and closes it. Not close(): the number
 * could be another connection's while libmicrohttpd still uses it. */
static void status_http_end(struct status_http *http, struct status_http_client *client)
{
    shutdown(client->fd, SHUT_RDWR);
    client->has_ended = true;
    http->open--;
}

/* Under the lock. */
static struct status_http_client *status_http_oldest(struct status_http *http)
{
    struct status_http_client *oldest = NULL;
    for (unsigned i = 0; i < http->places; i++) {
        struct status_http_client *client = &http->clients[i];
        if (client->fd >= 0 && !client->has_ended &&
            (!oldest || client->since_ns < oldest->since_ns))
            oldest = client;
    }
    return oldest;
}

/* Under the lock. */
static struct status_http_client *status_http_add(struct status_http *http, int fd)
{
    unsigned i = 0;
    while (i < http->places && http->clients[i].fd >= 0)
        i++;
    if (i == http->places)
        return NULL;
    http->clients[i] = (struct status_http_client){.fd = fd, .since_ns = uv_hrtime()};
    if (++http->open > http->limit)
        status_http_end(http, status_http_oldest(http));
    return &http->clients[i];
}

/* It is told of an end before the descriptor is closed, and may be another's. */
static void status_http_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                                      enum MHD_ConnectionNotificationCode what)
{
    struct status_http *http = arg;
    struct status_http_client *client = *context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    pthread_mutex_lock(&http->lock);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = info ? status_http_add(http, info->connect_fd) : NULL;
    } else if (client) {
        http->open -= !client->has_ended;
        client->fd = -1;
    }
    pthread_mutex_unlock(&http->lock);
}

/* Without a descriptor for the first connection it tries again at once, and for ever: it says so
 * each time, and that is where it can be made to wait. */
static void PRINTF_LIKE(2, 0) status_http_on_log(void *arg, const char *format, va_list args)
{
    (void)arg, (void)format, (void)args;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    errno = 0; /* what it says next may be of a client */
}

/* Before each wait, so that a page shows all that the control thread has done. */
static void status_http_on_turn(uv_prepare_t *turn)
{
    const struct status_http *http = turn->data;
    status_pages_turn(http->pages);
}

/* libmicrohttpd's own limit is on idleness, which an octet now and then escapes. */
static void status_http_on_beat(uv_timer_t *beat)
{
    struct status_http *http = beat->data;
    struct status_http_client *client;
    uint64_t now_ns = uv_hrtime();
    if (pthread_mutex_trylock(&http->lock) != 0)
        return;
    /* One that came after the look at the clock began after now_ns. */
    while ((client = status_http_oldest(http)) && client->since_ns <= now_ns &&
           now_ns - client->since_ns >= http->timeout_s * NS_PER_S)
        status_http_end(http, client);
    pthread_mutex_unlock(&http->lock);
}

static bool status_http_has_port(const char *text)
{
    const char *colon = strchr(text, ':');
    return text[0] == '[' ? strstr(text, "]:") != NULL : colon && !strchr(colon + 1, ':');
}

static enum status status_http_fail(const char *listen, int error, struct detail *why)
{
    return detail_set(why, STATUS_SYSTEM, "--http %s: %s", listen,
                      uv_strerror(uv_translate_sys_error(error)));
}

/* Bound by ourselves: libmicrohttpd does not say why it could not. A page that was written and that
 * nobody reads would stay in the kernel for as long as its client says that it is there, long after
 * the connection is closed: connections inherit the limit on that. We close first, so the port has
 * connections in TIME_WAIT, which without SO_REUSEADDR a server that restarts would have to wait
 * for. V6ONLY: [::] leaves the same port of 0.0.0.0 to others. */
static enum status status_http_bind(struct status_http *http, const char *listen_text,
                                    struct sockaddr_storage *address, struct detail *why)
{
    static const int on = 1;
    const unsigned unread_ms = http->timeout_s * 1000;
    bool is_v6 = address->ss_family == AF_INET6;
    socklen_t len = sizeof(*address);
    http->fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (http->fd < 0)
        return status_http_fail(listen_text, errno, why);
    if ((is_v6 && setsockopt(http->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        setsockopt(http->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(http->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unread_ms, sizeof(unread_ms)) != 0 ||
        bind(http->fd, (struct sockaddr *)address, len) != 0 || listen(http->fd, BACKLOG) != 0 ||
        getsockname(http->fd, (struct sockaddr *)address, &len) != 0) {
        int error = errno;
        close(http->fd);
        return status_http_fail(listen_text, error, why);
    }
    /* The port stands at the same place in both families. */
    unsigned port = ntohs(((const struct sockaddr_in *)address)->sin_port);
    snprintf(http->url, sizeof(http->url), "http://%.*s:%u",
             (int)(strrchr(listen_text, ':') - listen_text), listen_text, port);
    return STATUS_OK;
}

static struct status_http *status_http_new(struct status_pages *pages, uint32_t timeout_s)
{
    unsigned limit = (unsigned)options_number(pages->options, OPTION_HTTP_CONNECTIONS);
    /* libmicrohttpd counts those that are being ended, too, and accepts nobody at its own limit: a
     * probe would wait for what it is to replace. */
    unsigned places = limit + STATUS_HTTP_SPARE;
    struct status_http *http = calloc(1, sizeof(*http) + places * sizeof(http->clients[0]));
    if (!http)
        return NULL;
    pthread_mutex_init(&http->lock, NULL);
    http->pages = pages;
    http->timeout_s = timeout_s ? timeout_s : TIMEOUT_S;
    http->limit = limit;
    http->places = places;
    for (unsigned i = 0; i < places; i++)
        http->clients[i].fd = -1;
    return http;
}

enum status status_http_open(uv_loop_t *loop, struct status_pages *pages, uint32_t timeout_s,
                             struct status_http **out, struct detail *why)
{
    const char *text = options_text(pages->options, OPTION_HTTP);
    struct sockaddr_storage address;
    if (!text) {
        *out = NULL;
        return STATUS_OK;
    }
    if (!status_http_has_port(text) || address_parse_listen(text, 0, &address, NULL) != STATUS_OK) {
        detail_set(why, STATUS_BAD_INPUT, "not an address with a port: IPV4:PORT or [IPV6]:PORT");
        return options_fault(pages->options, OPTION_HTTP, text, why);
    }
    struct status_http *http = status_http_new(pages, timeout_s);
    if (!http)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    enum status status = status_http_bind(http, text, &address, why);
    if (status != STATUS_OK) {
        free(http);
        return status;
    }
    uv_prepare_init(loop, &http->turn);
    uv_timer_init(loop, &http->beat);
    http->turn.data = http->beat.data = http;
    *out = http;
    return STATUS_OK;
}

const char *status_http_url(const struct status_http *http)
{
    return http->url;
}

enum status status_http_start(struct status_http *http, struct detail *why)
{
    sigset_t all, before;
    if (!http)
        return STATUS_OK;
    /* The first turn, for pages that are asked for before the loop's. The timer also sees to it
     * that the loop turns where nothing happens: /healthz takes 5 s without a turn for a
     * standstill. */
    status_http_on_turn(&http->turn);
    uv_prepare_start(&http->turn, status_http_on_turn);
    uv_timer_start(&http->beat, status_http_on_beat, BEAT_MS, BEAT_MS);
    /* Not by epoll: where exactly 128 sockets are ready at once, 0.9.75 lets them lie until there
     * is one more, and forgets that it was told to stop. */
    sigfillset(&all); /* signals are the control thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    http->daemon = MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        status_http_on_request, http, MHD_OPTION_EXTERNAL_LOGGER, status_http_on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, http->fd, MHD_OPTION_CONNECTION_LIMIT, http->places,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        http->timeout_s, MHD_OPTION_NOTIFY_CONNECTION, status_http_on_connection, http,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (http->daemon)
        return STATUS_OK;
    return detail_set(why, STATUS_SYSTEM, "--http %s: the HTTP server cannot be started",
                      options_text(http->pages->options, OPTION_HTTP));
}

static void status_http_on_closed(uv_handle_t *handle)
{
    struct status_http *http = handle->data;
    if (--http->handles == 0)
        free(http);
}

void status_http_stop(struct status_http *http)
{
    if (!http)
        return;
    /* libmicrohttpd closes the socket that it was given to listen on. */
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    else
        close(http->fd);
    http->handles = 2;
    uv_close((uv_handle_t *)&http->turn, status_http_on_closed);
    uv_close((uv_handle_t *)&http->beat, status_http_on_closed);
}
