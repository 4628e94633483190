#include "http_get.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void http_service_tick(uv_timer_t *timer)
{
    (void)timer;
}

void http_service_init(struct http_service *service)
{
    static const char key[] = "/service/web/shop", value[] = "10.1.2.3:8080";
    static const struct zone_address ns[] = {{"ns", {AF_INET, {127, 0, 0, 1}}}};
    const struct zone_options zone = {.domain = "empusa.internal",
                                      .record_ttl_s = 10,
                                      .negative_ttl_s = 5,
                                      .has_switches = true,
                                      .ns = ns,
                                      .ns_count = 1};
    struct server_listen listen = {0};
    struct sockaddr_in *address = (struct sockaddr_in *)&listen.address;
    struct server_options server = {.listen = &listen, .listen_count = 1, .workers = 1};
    memset(service, 0, sizeof(*service));
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(zone_new(&zone, &service->zone, NULL), STATUS_OK);
    assert_int_equal(zone_put(service->zone, key, sizeof(key) - 1, value, sizeof(value) - 1, 7, 0),
                     STATUS_OK);
    zone_commit(service->zone, 7);
    server.zone = service->zone;
    server.tcp_connections = 1;
    server.tcp_idle_s = 1;
    assert_int_equal(server_open(&server, &service->server, NULL), STATUS_OK);
    uv_loop_init(&service->loop);
    uv_timer_init(&service->loop, &service->ticker);
    uv_timer_start(&service->ticker, http_service_tick, 1, 1);
    service->pages = (struct status_pages){.options = &service->options,
                                           .server = service->server,
                                           .zone = service->zone,
                                           .follow = &service->follow};
    status_pages_init(&service->pages);
}

void http_service_set(struct http_service *service, enum option_id id, const char *text)
{
    struct detail why = {""};
    if (options_set(&service->options, id, text, &why) != STATUS_OK)
        fail_msg("%s", why.text);
}

enum status http_service_open(struct http_service *service, const char *listen, struct detail *why)
{
    options_unset(&service->options, OPTION_HTTP);
    http_service_set(service, OPTION_HTTP, listen);
    assert_int_equal(options_complete(&service->options, OPTION_HTTP_CONNECTIONS, NULL, NULL),
                     STATUS_OK);
    enum status status =
        status_http_open(&service->loop, &service->pages, service->timeout_s, &service->http, why);
    return status == STATUS_OK ? status_http_start(service->http, why) : status;
}

void http_service_start(struct http_service *service)
{
    struct detail why = {""};
    if (http_service_open(service, "127.0.0.1:0", &why) != STATUS_OK)
        fail_msg("%s", why.text);
    status_pages_set_state(&service->pages, ANSWER_FRESH);
}

void http_service_stop(struct http_service *service)
{
    status_http_stop(service->http);
    uv_close((uv_handle_t *)&service->ticker, NULL);
    uv_run(&service->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&service->loop), 0);
    server_stop(service->server);
    zone_free(service->zone);
    options_clear(&service->options);
}

uint16_t http_service_port(const struct http_service *service)
{
    return (uint16_t)strtoul(strrchr(status_http_url(service->http), ':') + 1, NULL, 10);
}

void http_get_connect(struct http_get *client, uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = client->fd;
    memset(client, 0, sizeof(*client));
    client->fd = fd;
    assert_int_equal(connect(client->fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

void http_get_open(struct http_get *client, uint16_t port)
{
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client->fd >= 0);
    http_get_connect(client, port);
}

void http_get_close(struct http_get *client)
{
    close(client->fd);
    client->fd = -1;
}

void http_get_send(struct http_get *client, const void *octets, size_t len)
{
    /* It may have been closed, or not be read. */
    if (send(client->fd, octets, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return;
}

void http_get_send_text(struct http_get *client, const char *text)
{
    http_get_send(client, text, strlen(text));
}

bool http_get_ended(struct http_get *client)
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

const char *http_fetch(struct http_service *service, struct http_get *client, const char *request)
{
    http_get_open(client, http_service_port(service));
    http_get_send_text(client, request);
    if (!HTTP_UNTIL(service, http_get_ended(client), HTTP_GET_WAIT_MS))
        fail_msg("no reply to %s", request);
    http_get_close(client);
    return client->reply;
}
