/* tests/support/http_get.h - the status pages of a small zone, and raw clients of them: the pages
 * are answered on a thread of their own, the control thread turns where a test lets it. */
#ifndef SUPPORT_HTTP_GET_H
#define SUPPORT_HTTP_GET_H

#include "cli/serve/status_http.h"
#include "cli/serve/status_pages.h"

#include "dns/server/server.h"
#include "zones/zone.h"

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

#define HTTP_GET_WAIT_MS 5000

struct http_service {
    uv_loop_t loop;
    uv_timer_t ticker; /* lets a condition be looked at in time */
    struct options options;
    struct zone *zone;
    struct server *server;
    struct follow *follow; /* none */
    struct status_pages pages;
    uint32_t timeout_s; /* 0 = as usual */
    struct status_http *http;
};

/* A zone with one service, and a server that is bound but has no threads. */
void http_service_init(struct http_service *service);

/* Set an option before http_service_open(). */
void http_service_set(struct http_service *service, enum option_id id, const char *text);

/* status_http_open() and, where that went well, status_http_start(). */
enum status http_service_open(struct http_service *service, const char *listen, struct detail *why);

/* The same at a free port of 127.0.0.1, and ready. */
void http_service_start(struct http_service *service);

/* Everything; no handle of the loop may be left. */
void http_service_stop(struct http_service *service);

uint16_t http_service_port(const struct http_service *service);

struct http_get {
    int fd;
    bool has_ended; /* the server has closed the connection */
    size_t len;
    char reply[16384]; /* NUL-terminated; its beginning */
};

/* Connect a socket that the test has made, or one of its own. */
void http_get_connect(struct http_get *client, uint16_t port);
void http_get_open(struct http_get *client, uint16_t port);

void http_get_close(struct http_get *client);

/* Without waiting: whoever has been closed, or is not read, sends nothing. */
void http_get_send(struct http_get *client, const void *octets, size_t len);
void http_get_send_text(struct http_get *client, const char *text);

/* Take what is there. Returns whether the server has closed. */
bool http_get_ended(struct http_get *client);

/* Let the control thread turn until the condition holds; false = it did not within the time. */
#define HTTP_UNTIL(service, condition, limit_ms)                                                   \
    ({                                                                                             \
        uint64_t end_ms_ = uv_hrtime() / 1000000 + (limit_ms);                                     \
        while (!(condition) && uv_hrtime() / 1000000 < end_ms_)                                    \
            uv_run(&(service)->loop, UV_RUN_ONCE);                                                 \
        (bool)(condition);                                                                         \
    })

/* The whole reply to a request. */
const char *http_fetch(struct http_service *service, struct http_get *client, const char *request);

#endif
