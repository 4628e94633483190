/* dns/tcp.h - a worker's TCP listeners, and which connections may stay.
 *
 * A connection is kept for many queries (RFC 7766 6.2). One list orders the worker's connections by
 * when they last got on: were accepted, answered a query, began to receive one, or had a backlog of
 * replies taken. Whoever has not got on for the idle time is closed, so one deadline serves for
 * idle clients, slow writers and slow readers alike, and one timer for all connections. The time
 * shrinks when more than half of all slots are in use; when all are, the oldest idle connection
 * makes room.
 *
 * Threads: belongs to its worker; only struct tcp_share is shared. */
#ifndef DNS_TCP_H
#define DNS_TCP_H

#include "framing.h"
#include "respond.h"
#include "server.h"
#include "transfer.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct tcp_conn;

/* The output holds at least one whole reply after any flush, and TCP_FLUSH octets between flushes.
 */
#define TCP_FLUSH      65536
#define TCP_OUTPUT_MAX (TCP_FLUSH + FRAMING_MAX)

/* What all workers have together. */
struct tcp_share {
    unsigned limit;          /* slots: 1 or more */
    unsigned used;           /* atomic */
    transfer_take *transfer; /* who makes transfers; NULL: allow_transfer is, too */
    void *transfer_arg;
};

struct tcp_listener {
    uv_poll_t poll;
    struct tcp *tcp;
    int fd; /* -1 = closed */
};

struct tcp {
    uv_loop_t *loop;
    struct respond *respond;
    struct tcp_share *share;
    unsigned idle_ms;
    struct tcp_listener listeners[SERVER_LISTEN_MAX];
    unsigned listener_count;
    bool is_starved; /* no file descriptors: the listeners rest until the next sweep */
    bool is_stopping;
    uint64_t stop_ms; /* then: when even those with a backlog are closed */
    uv_timer_t sweep;
    struct tcp_conn *oldest, *newest;
    struct transfer_request request; /* of the connection that is about to be given away */
    /* Of whichever connection is being served: one that waits holds only what is unfinished. */
    size_t output_len;
    uint8_t input[FRAMING_MAX];
    uint8_t output[TCP_OUTPUT_MAX];
};

/* Take over a listening socket, before tcp_start(); at most SERVER_LISTEN_MAX. */
void tcp_add(struct tcp *tcp, int fd);

/* Listen on `loop`. What respond and share point at must outlive the loop's run.
 * SYSTEM: tcp_close() must still be called. */
MUST_USE enum status tcp_start(struct tcp *tcp, uv_loop_t *loop, struct respond *respond,
                               struct tcp_share *share, unsigned idle_ms);

/* Stop listening, answer what has been received, close whatever has no backlog; the rest when its
 * backlog is gone, or after a second. From the loop's thread. */
void tcp_stop(struct tcp *tcp);

/* Close everything now; the loop must run once more. Sockets are closed even if tcp_start() was
 * never called. */
void tcp_close(struct tcp *tcp);

/* For tcp_conn.c: a connection joins the list, got on, or leaves it. */
void tcp_joined(struct tcp *tcp, struct tcp_conn *conn);
void tcp_got_on(struct tcp *tcp, struct tcp_conn *conn);
void tcp_left(struct tcp *tcp, struct tcp_conn *conn);

#endif
