/* dns/server/tcp_clients.h - how many of a worker's connections each client prefix (prefix.h)
 * holds.
 *
 * When all slots are taken, a new connection displaces one of a prefix that holds most, so that
 * whoever fills the slots loses its own. Prefixes are found by a keyed hash, and lie in lists by
 * their number of connections, so that nothing is ever searched.
 *
 * Memory: 64 octets a prefix, 24 a slot. Threads: belongs to its worker. */
#ifndef DNS_SERVER_TCP_CLIENTS_H
#define DNS_SERVER_TCP_CLIENTS_H

#include "tcp_types.h"

/* Those with one connection or more. */
struct tcp_client {
    uint64_t key;
    struct tcp_client *next;          /* with the same hash */
    TAILQ_ENTRY(tcp_client) by_level; /* with as many connections */
    struct tcp_conns conns;           /* as they were accepted */
    unsigned count;
};

/* No connections yet, and room for tcp->share->limit. NO_MEMORY: tcp_clients_clear() is still to
 * be called. */
MUST_USE enum status tcp_clients_init(struct tcp *tcp);
/* All connections have gone. */
void tcp_clients_clear(struct tcp *tcp);

/* Connections of this client's prefix. */
unsigned tcp_clients_count(const struct tcp *tcp, const union socket_address *client);
/* Of the prefixes that hold most, the one that has for longest. NULL: there are no connections. */
struct tcp_client *tcp_clients_top(const struct tcp *tcp);

/* A connection comes, at most as many as there are slots. False: no memory. */
bool tcp_clients_join(struct tcp *tcp, struct tcp_conn *conn);
void tcp_clients_leave(struct tcp *tcp, struct tcp_conn *conn);

#endif
