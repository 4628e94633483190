/* dns/server/tcp.h - a worker's TCP listeners, and which connections may stay.
 *
 * A connection is kept for many queries (RFC 7766 6.2). One list orders the worker's connections
 * by when they last made progress: were accepted, answered a query, began to receive one, or had
 * a backlog of replies taken. Whoever makes none for the idle time is closed, so one deadline
 * serves for idle clients, slow writers and slow readers alike, and one timer for all
 * connections. The time shrinks when more than half of all slots are in use.
 *
 * When all are, a message that has begun must be complete within a second, and a new connection
 * displaces one of the network that holds most, so that no network can keep others out, whatever it
 * does with its connections. A network that itself holds most displaces only what is idle or slow.
 *
 * What connections take of a turn of the loop is bounded, so that datagrams, which come in between,
 * wait for at most about a millisecond.
 *
 * Threads: belongs to its worker; only struct tcp_share is shared. */
#ifndef DNS_SERVER_TCP_H
#define DNS_SERVER_TCP_H

#include "tcp_types.h"

/* Take over a listening socket, before tcp_start(); at most TCP_LISTENERS_MAX. */
void tcp_add(struct tcp *tcp, int fd);

/* Listen on `loop`. What batch and share point at must outlive the loop's run.
 * SYSTEM, NO_MEMORY: tcp_close() must still be called. */
MUST_USE enum status tcp_start(struct tcp *tcp, uv_loop_t *loop, struct batch *batch,
                               struct tcp_share *share, unsigned idle_ms);

/* For tcp_turn(): connections wait for another turn. */
void tcp_take_turns(struct tcp *tcp);

/* To be called in each turn of the loop before it waits: those that the last turn had no time for
 * have theirs now. */
static inline void tcp_turn(struct tcp *tcp)
{
    tcp->turn_left = TCP_TURN;
    if (!TAILQ_EMPTY(&tcp->turns))
        tcp_take_turns(tcp);
}

/* Stop listening, answer what has been received, close whatever has no backlog; the rest when its
 * backlog is gone, or after a second. From the loop's thread. */
void tcp_stop(struct tcp *tcp);

/* Close everything now; the loop must run once more. Sockets are closed even if tcp_start() was
 * never called. */
void tcp_close(struct tcp *tcp);

#endif
