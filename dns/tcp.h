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

#include "registry/status.h"
#include "tcp_facts.h"

#include <uv.h>

/* Take over a listening socket, before tcp_start(); at most TCP_LISTENERS_MAX. */
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

#endif
