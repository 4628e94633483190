/* dns/server/tcp_list.h - a worker's connections in the order of their last progress, and their
 * slots.
 *
 * The timer that looks at the oldest runs as long as there is one, or while the listeners are off.
 *
 * Threads: belongs to its worker; slots are shared by all. */
#ifndef DNS_SERVER_TCP_LIST_H
#define DNS_SERVER_TCP_LIST_H

#include "tcp_types.h"

/* A connection that has a slot joins as the newest (false: no memory), becomes the newest, or
 * leaves with its slot. */
MUST_USE bool tcp_list_join(struct tcp *tcp, struct tcp_conn *conn);
void tcp_list_mark_progress(struct tcp *tcp, struct tcp_conn *conn);
void tcp_list_leave(struct tcp *tcp, struct tcp_conn *conn);

/* A slot that was taken is free again. */
void tcp_list_release_slot(struct tcp *tcp);

/* Start the timer, unless it runs. */
void tcp_list_sweep(struct tcp *tcp);
/* Stop it if nothing is left to do; close it if the worker is stopping. */
void tcp_list_stop_sweep(struct tcp *tcp);

#endif
