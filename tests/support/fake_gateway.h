/* tests/support/fake_gateway.h - a server that answers as a table says, on the loop of the client under
 * test.
 *
 * For what a real etcd cannot be brought to do: foreign dialects, cut and endless answers, garbage.
 */
#ifndef SUPPORT_FAKE_GATEWAY_H
#define SUPPORT_FAKE_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum fake_end {
    FAKE_KEEP,  /* a whole answer, the connection stays */
    FAKE_CUT,   /* more is promised than sent, then closed */
    FAKE_CHUNK, /* one chunk, more may follow */
    FAKE_EOF,   /* one chunk and the last one */
    FAKE_CLOSE, /* closed without an answer */
    FAKE_RESET, /* the same, as by a process that is killed */
    FAKE_MUTE   /* nothing at all */
};

/* The first row with the path that has not been used up answers. */
struct fake_row {
    const char *path;
    int status;
    const char *body;
    enum fake_end end;
    unsigned uses; /* 0 = any number */
};

/* What decides at the moment: it may change anything of the row. row->body has to last until the
 * next request. */
typedef void fake_decide(void *arg, const char *path, const char *body, struct fake_row *row);

#define FAKE_CONNECTIONS_MAX 128

struct fake_gateway {
    uv_tcp_t server;
    const struct fake_row *rows;
    size_t row_count;
    fake_decide *decide; /* NULL: as the row says */
    void *arg;
    unsigned used[32];
    unsigned asked;       /* requests in all */
    char last_body[4096]; /* of the last POST */
    char last_head[4096];
    struct fake_connection *connections[FAKE_CONNECTIONS_MAX];
    size_t connection_count;
    char endpoint[32];
};

/* On a port of its own of 127.0.0.1: gateway->endpoint. `rows` must outlive it. False: there is no socket. */
bool fake_gateway_start(struct fake_gateway *gateway, uv_loop_t *loop, const struct fake_row *rows,
                        size_t row_count);

/* One more chunk to every connection that was answered with FAKE_CHUNK and is open. */
void fake_gateway_go_on(struct fake_gateway *gateway, const char *chunk);

/* Its connections are cut; all is closed when the loop has turned once. */
void fake_gateway_stop(struct fake_gateway *gateway);

#endif
