/* tests/support/http_asker.h - an HTTP client on a loop, and a fake gateway that it asks.
 *
 * The gateway has: /good (200, "hello"), /missing (404, "no such"), /chunks (200, "hello", in chunks) and /stream (which
 * does not end), /cut (less than promised), /closed and /reset (without an answer), /mute. */
#ifndef SUPPORT_HTTP_ASKER_H
#define SUPPORT_HTTP_ASKER_H

#include "client_loop.h"
#include "fake_gateway.h"
#include "registry/net/http_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* Numbers of rows that tests count the uses of. */
enum { HTTP_ASKER_CLOSED = 4, HTTP_ASKER_MUTE = 6 };

struct http_asker {
    struct client_loop client;
    struct fake_gateway gateway;
    struct http_client *http; /* NULL: it was closed */
};

extern struct http_asker http_asker;

struct http_outcome {
    unsigned done;
    struct http_client_result result;
    char text[256];
    long status; /* as the pieces had it */
    bool gives_up;
    bool closes; /* the client, from inside */
    struct http_client_request *cancels;
};

void http_asker_open(void);
/* All that was opened is closed then. */
void http_asker_close(void);

/* options.url is made from the gateway's endpoint. NULL: without memory. */
struct http_client_request *http_asker_begin(const char *path, struct http_client_options options,
                                             struct http_outcome *outcome);
/* It has ended, once. */
struct http_outcome http_asker_ask(const char *path, struct http_client_options options);

#endif
