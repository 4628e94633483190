#include "http.h"

#include "metrics.h"
#include "serve_options.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG      128
#define MEMORY_MAX   ((size_t)16384) /* octets a connection: a request's head fits in it */
#define WINDOW_MS    100
#define WINDOW_TURNS 400
#define URL_SIZE     96
#define PAGE_SIZE    80

/* A connection's place. */
struct slot {
    int fd; /* -1 = free */
    uint64_t end_ms;
};

struct http_server {
    struct http_server_options options;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handles; /* not closed yet */
    unsigned turns;   /* in the window that began at window_ms */
    uint64_t window_ms;
    struct slot slots[HTTP_CONNECTIONS_MAX];
    char url[URL_SIZE];
};

struct page {
    unsigned status;
    const char *content_type;
    char *text; /* malloc()ed; NULL: `line` is the page */
    size_t len;
    char line[PAGE_SIZE];
};

static void http_fill_line(struct page *page, unsigned status, const char *text)
{
    page->status = status;
    page->content_type = "text/plain; charset=utf-8";
    page->len = (size_t)snprintf(page->line, sizeof(page->line), "%s\n", text);
}

static void http_show_metrics(const struct http_server *server, struct page *page)
{
    const struct http_server_options *options = &server->options;
    enum status status = options->metrics(options->arg, &page->text, &page->len);
    if (status != STATUS_OK) {
        http_fill_line(page, MHD_HTTP_INTERNAL_SERVER_ERROR, status_text(status));
        return;
    }
    page->status = MHD_HTTP_OK;
    page->content_type = METRICS_CONTENT_TYPE;
}

static void http_show_health(const struct http_server *server, struct page *page)
{
    (void)server;
    http_fill_line(page, MHD_HTTP_OK, "ok");
}

static void http_show_readiness(const struct http_server *server, struct page *page)
{
    static const struct {
        unsigned status;
        const char *text;
    } rows[] = {[ANSWER_NOT_READY] = {MHD_HTTP_SERVICE_UNAVAILABLE, "not ready"},
                [ANSWER_FRESH] = {MHD_HTTP_OK, "ok"},
                [ANSWER_STALE] = {MHD_HTTP_OK, "stale"},
                [ANSWER_EXPIRED] = {MHD_HTTP_SERVICE_UNAVAILABLE, "expired"}};
    enum answer_state state = server->options.state(server->options.arg);
    http_fill_line(page, rows[state].status, rows[state].text);
}

static const struct {
    const char *path;
    void (*show)(const struct http_server *server, struct page *page);
} pages[] = {{"/metrics", http_show_metrics},
             {"/healthz", http_show_health},
             {"/readyz", http_show_readiness}};

static void http_show(const struct http_server *server, const char *path, const char *method,
                      struct page *page)
{
    size_t i = 0;
    while (i < sizeof(pages) / sizeof(pages[0]) && strcmp(pages[i].path, path) != 0)
        i++;
    if (i == sizeof(pages) / sizeof(pages[0]))
        http_fill_line(page, MHD_HTTP_NOT_FOUND,
                       "not here; there are /metrics, /healthz and /readyz");
    else if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        http_fill_line(page, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only");
    else
        pages[i].show(server, page);
}

static bool http_add_headers(struct MHD_Response *response, const struct page *page)
{
    /* A kept connection would hold a place, and be closed as its client is about to use it. */
    return MHD_add_response_header(response, "Connection", "close") == MHD_YES &&
           MHD_add_response_header(response, "Content-Type", page->content_type) == MHD_YES &&
           MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
           (page->status != MHD_HTTP_METHOD_NOT_ALLOWED ||
            MHD_add_response_header(response, "Allow", "GET, HEAD") == MHD_YES);
}

/* MHD_NO closes the connection without a reply. */
static enum MHD_Result http_on_request(void *arg, struct MHD_Connection *connection,
                                       const char *path, const char *method, const char *version,
                                       const char *body, size_t *body_len, void **context)
{
    (void)version, (void)body, (void)body_len, (void)context;
    struct page page = {0};
    enum MHD_Result result = MHD_NO;
    http_show(arg, path, method, &page);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(page.len, page.text ? page.text : page.line,
                                        page.text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_MUST_COPY);
    if (!response) {
        free(page.text);
        return MHD_NO;
    }
    if (http_add_headers(response, &page))
        result = MHD_queue_response(connection, page.status, response);
    MHD_destroy_response(response);
    return result;
}

static void http_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = arg;
    struct slot *slot = *context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (slot)
            slot->fd = -1;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    for (size_t i = 0; info && i < HTTP_CONNECTIONS_MAX; i++) {
        slot = &server->slots[i];
        if (slot->fd >= 0)
            continue;
        slot->fd = info->connect_fd;
        slot->end_ms = uv_now(server->timer.loop) + server->options.timeout_ms;
        *context = slot;
        return;
    }
}

static unsigned http_connection_count(const struct http_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : 0;
}

/* End those whose time is up: libmicrohttpd then finds them closed. Its own limit is on idleness,
 * which an octet now and then escapes. Returns the time until the next one's end. */
static uint64_t http_end_overdue(struct http_server *server, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        struct slot *slot = &server->slots[i];
        if (slot->fd < 0)
            continue;
        if (slot->end_ms <= now_ms) {
            shutdown(slot->fd, SHUT_RDWR);
            slot->end_ms = now_ms + server->options.timeout_ms;
        }
        if (slot->end_ms - now_ms < next_ms)
            next_ms = slot->end_ms - now_ms;
    }
    return next_ms;
}

static void http_on_timer(uv_timer_t *timer);
static void http_on_poll(uv_poll_t *poll, int status, int events);

/* One turn of libmicrohttpd: it does what can be done now and says when it wants the next. */
static void http_turn(struct http_server *server)
{
    uint64_t now_ms = uv_now(server->timer.loop);
    if (now_ms - server->window_ms >= WINDOW_MS) {
        server->window_ms = now_ms;
        server->turns = 0;
    }
    if (++server->turns > WINDOW_TURNS) {
        uv_poll_stop(&server->poll);
        uv_timer_start(&server->timer, http_on_timer, WINDOW_MS, 0);
        return;
    }
    uint64_t delay_ms = http_end_overdue(server, now_ms);
    unsigned before = http_connection_count(server);
    MHD_UNSIGNED_LONG_LONG wanted_ms;
    MHD_run(server->daemon);
    if (MHD_get_timeout(server->daemon, &wanted_ms) == MHD_YES && wanted_ms < delay_ms)
        delay_ms = wanted_ms;
    /* At its limit it stops listening, and listens again at the turn after a place is free. */
    if (http_connection_count(server) < before)
        delay_ms = 0;
    if (delay_ms > server->options.timeout_ms)
        delay_ms = server->options.timeout_ms;
    if (delay_ms == 0 || http_connection_count(server) > 0)
        uv_timer_start(&server->timer, http_on_timer, delay_ms, 0);
    else
        uv_timer_stop(&server->timer);
}

static void http_on_timer(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    if (!uv_is_active((uv_handle_t *)&server->poll))
        uv_poll_start(&server->poll, UV_READABLE, http_on_poll);
    http_turn(server);
}

static void http_on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    http_turn(poll->data);
}

static bool http_has_port(const char *text)
{
    const char *colon = strchr(text, ':');
    return text[0] == '[' ? strstr(text, "]:") != NULL : colon && !strchr(colon + 1, ':');
}

static enum status http_fail(const char *listen, int error, struct detail *why)
{
    return detail_set(why, STATUS_SYSTEM, "--http %s: %s", listen,
                      uv_strerror(uv_translate_sys_error(error)));
}

/* Bound by ourselves, because libmicrohttpd does not say why it could not. */
static enum status http_open_socket(const char *text, struct sockaddr_storage *address, int *out,
                                    struct detail *why)
{
    static const int on = 1;
    bool is_v6 = address->ss_family == AF_INET6;
    socklen_t len = sizeof(*address);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return http_fail(text, errno, why);
    if ((is_v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &len) != 0) {
        int error = errno;
        close(fd);
        return http_fail(text, error, why);
    }
    *out = fd;
    return STATUS_OK;
}

static enum status http_start_daemon(struct http_server *server, int fd, struct detail *why)
{
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, http_on_request, server, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_PER_IP,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_MAX, MHD_OPTION_NOTIFY_CONNECTION,
        http_on_connection, server, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (server->daemon)
        return STATUS_OK;
    close(fd); /* libmicrohttpd takes it only with success */
    return detail_set(why, STATUS_SYSTEM, "--http %s: the HTTP server cannot be started",
                      server->options.listen);
}

static void http_on_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    if (--server->handles == 0)
        free(server);
}

static enum status http_start_handles(struct http_server *server, uv_loop_t *loop,
                                      struct detail *why)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int error = info ? uv_poll_init(loop, &server->poll, info->epoll_fd) : UV_ENOSYS;
    if (error) {
        MHD_stop_daemon(server->daemon);
        return detail_set(why, STATUS_SYSTEM, "--http %s: %s", server->options.listen,
                          uv_strerror(error));
    }
    uv_timer_init(loop, &server->timer);
    server->poll.data = server->timer.data = server;
    server->handles = 2;
    uv_poll_start(&server->poll, UV_READABLE, http_on_poll);
    return STATUS_OK;
}

static void http_set_url(struct http_server *server, const struct sockaddr_storage *address)
{
    const char *text = server->options.listen;
    /* The port stands at the same place in both families. */
    unsigned port = ntohs(((const struct sockaddr_in *)address)->sin_port);
    snprintf(server->url, sizeof(server->url), "http://%.*s:%u", (int)(strrchr(text, ':') - text),
             text, port);
}

enum status http_server_start(uv_loop_t *loop, const struct http_server_options *options,
                              struct http_server **out, struct detail *why)
{
    struct sockaddr_storage address;
    int fd = -1;
    if (!http_has_port(options->listen) ||
        serve_options_address(options->listen, &address, NULL) != STATUS_OK)
        return detail_set(why, STATUS_BAD_INPUT,
                          "not an address with a port: IPV4:PORT or [IPV6]:PORT");
    struct http_server *server = calloc(1, sizeof(*server));
    if (!server)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    server->options = *options;
    if (server->options.timeout_ms == 0)
        server->options.timeout_ms = HTTP_TIMEOUT_MS;
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        server->slots[i].fd = -1;
    enum status status = http_open_socket(options->listen, &address, &fd, why);
    if (status == STATUS_OK)
        status = http_start_daemon(server, fd, why);
    if (status == STATUS_OK)
        status = http_start_handles(server, loop, why);
    if (status != STATUS_OK) {
        free(server);
        return status;
    }
    http_set_url(server, &address);
    server->options.listen = NULL; /* borrowed for the call only */
    *out = server;
    return STATUS_OK;
}

const char *http_server_url(const struct http_server *server)
{
    return server->url;
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    uv_close((uv_handle_t *)&server->poll, http_on_closed);
    uv_close((uv_handle_t *)&server->timer, http_on_closed);
    MHD_stop_daemon(server->daemon);
}
