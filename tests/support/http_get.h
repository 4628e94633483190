/* tests/support/http_get.h - an HTTP server on a loop, and raw clients of it in the same thread:
 * they never wait, the loop turns between their steps. */
#ifndef SUPPORT_HTTP_GET_H
#define SUPPORT_HTTP_GET_H

#include "cli/serve/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h> /* needs some of those above */

#define HTTP_CLIENT_WAIT_MS 5000

struct http_service {
    uv_loop_t loop;
    uv_timer_t ticker; /* lets a condition be looked at in time */
    struct http_server *server;
    enum answer_state state;
    enum status metrics_status;
    size_t metrics_len;
    unsigned metrics_calls;
};

static inline void http_service_tick(uv_timer_t *timer)
{
    (void)timer;
}

static inline enum answer_state http_service_state(void *arg)
{
    return ((struct http_service *)arg)->state;
}

static inline enum status http_service_metrics(void *arg, char **text, size_t *len)
{
    struct http_service *service = arg;
    service->metrics_calls++;
    if (service->metrics_status != STATUS_OK)
        return service->metrics_status;
    char *made = malloc(service->metrics_len);
    assert_non_null(made);
    memset(made, 'm', service->metrics_len);
    *text = made;
    *len = service->metrics_len;
    return STATUS_OK;
}

static inline enum status http_service_try(struct http_service *service, const char *listen,
                                           uint32_t timeout_ms, struct detail *why)
{
    struct http_server_options options = {.listen = listen,
                                          .timeout_ms = timeout_ms,
                                          .state = http_service_state,
                                          .metrics = http_service_metrics,
                                          .arg = service};
    return http_server_start(&service->loop, &options, &service->server, why);
}

static inline void http_service_init(struct http_service *service)
{
    memset(service, 0, sizeof(*service));
    service->state = ANSWER_FRESH;
    service->metrics_len = 3;
    uv_loop_init(&service->loop);
    uv_timer_init(&service->loop, &service->ticker);
    uv_timer_start(&service->ticker, http_service_tick, 5, 5);
}

static inline void http_service_start(struct http_service *service, uint32_t timeout_ms)
{
    struct detail why = {""};
    http_service_init(service);
    if (http_service_try(service, "127.0.0.1:0", timeout_ms, &why) != STATUS_OK)
        fail_msg("%s", why.text);
}

static inline void http_service_stop(struct http_service *service)
{
    http_server_stop(service->server);
    uv_close((uv_handle_t *)&service->ticker, NULL);
    uv_run(&service->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&service->loop), 0);
}

static inline uint16_t http_service_port(const struct http_service *service)
{
    return (uint16_t)strtoul(strrchr(http_server_url(service->server), ':') + 1, NULL, 10);
}

struct http_client {
    int fd;
    bool has_ended; /* the server has closed the connection */
    size_t len;
    char reply[16384]; /* NUL-terminated; its beginning */
};

/* Connect from a local address. */
static inline void http_client_open(struct http_client *client, const char *from, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    memset(client, 0, sizeof(*client));
    inet_pton(AF_INET, from, &address.sin_addr);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    to.sin_port = htons(port);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client->fd >= 0);
    assert_int_equal(bind(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

static inline void http_client_close(struct http_client *client)
{
    close(client->fd);
    client->fd = -1;
}

static inline void http_client_send(struct http_client *client, const void *octets, size_t len)
{
    /* It may have been closed, or not be read. */
    if (send(client->fd, octets, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return;
}

static inline void http_client_send_text(struct http_client *client, const char *text)
{
    http_client_send(client, text, strlen(text));
}

/* Take what is there. Returns whether the server has closed. */
static inline bool http_client_ended(struct http_client *client)
{
    char octets[65536];
    ssize_t len = 1;
    while (!client->has_ended && len > 0) {
        len = recv(client->fd, octets, sizeof(octets), MSG_DONTWAIT);
        client->has_ended = len == 0 || (len < 0 && errno == ECONNRESET);
        size_t room = sizeof(client->reply) - 1 - client->len;
        size_t part = len <= 0 ? 0 : (size_t)len < room ? (size_t)len : room;
        memcpy(client->reply + client->len, octets, part);
        client->len += part;
    }
    return client->has_ended;
}

/* Let the loop turn until the condition holds; false = it did not within the time. */
#define HTTP_UNTIL(service, condition, limit_ms)                                                   \
    ({                                                                                             \
        uint64_t end_ms_ = uv_hrtime() / 1000000 + (limit_ms);                                     \
        while (!(condition) && uv_hrtime() / 1000000 < end_ms_)                                    \
            uv_run(&(service)->loop, UV_RUN_ONCE);                                                 \
        (bool)(condition);                                                                         \
    })

/* The whole reply to a request from this local address. */
static inline const char *http_fetch(struct http_service *service, struct http_client *client,
                                     const char *from, const char *request)
{
    http_client_open(client, from, http_service_port(service));
    http_client_send_text(client, request);
    if (!HTTP_UNTIL(service, http_client_ended(client), HTTP_CLIENT_WAIT_MS))
        fail_msg("no reply to %s", request);
    http_client_close(client);
    return client->reply;
}

#endif
