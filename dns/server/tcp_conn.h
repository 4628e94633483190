/* dns/server/tcp_conn.h - one TCP connection: its queries in order, its replies in as few writes as
 * may be.
 *
 * What one read brings is answered in batches into the worker's output and leaves in one write,
 * past libuv's queues. All connections together have so much of a turn of the loop (TCP_TURN); one
 * that finds it used up waits in a queue for another.
 *
 * A connection holds memory only for what is unfinished: the beginning of a message, or replies
 * that the client does not take. While it has such a backlog it is not read from. A client that has
 * shut down its side (FIN) gets what it asked for before, and keeps its slot until it has taken
 * that; a reset is just a close. One that asks for a transfer is handed over: what it asked before
 * has been answered, what it asks after that is not.
 *
 * Memory: about 360 octets idle; at most FRAMING_MAX of input and TCP_OUTPUT_MAX of output.
 * Threads: belongs to its worker's loop. */
#ifndef DNS_SERVER_TCP_CONN_H
#define DNS_SERVER_TCP_CONN_H

#include "tcp_types.h"

/* Serve an accepted non-blocking socket from now on. The connection frees itself after
 * tcp_conn_close(). False: no memory or no poll; the socket is still the caller's. */
bool tcp_conn_open(struct tcp *tcp, int fd, const union socket_address *client);

/* Go on, in another turn of the loop: it is the first of tcp->turns. */
void tcp_conn_turn(struct tcp_conn *conn);

/* Nothing unfinished in either direction. */
bool tcp_conn_is_idle(const struct tcp_conn *conn);

/* Answer what has been received, then close, unless a backlog remains: then once it is gone. Does
 * nothing for one that is about to. */
void tcp_conn_finish(struct tcp_conn *conn);

/* Close now, or hand over, and free once the loop has let go. What the client has not taken is
 * dropped, and the connection reset. */
void tcp_conn_close(struct tcp_conn *conn);

#endif
