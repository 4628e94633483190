/* dns/server/tcp_types.h - what a worker and its TCP connections know of each other.
 *
 * Types alone, for tcp.h, tcp_list.h and tcp_conn.h.
 *
 * Threads: belong to their worker; only struct tcp_share is shared. */
#ifndef DNS_SERVER_TCP_TYPES_H
#define DNS_SERVER_TCP_TYPES_H

#include "dns/answer/answer_types.h"
#include "dns/transfer/axfr.h"
#include "dns/wire/framing.h"
#include "dns/wire/socket.h"

#include <sys/queue.h>
#include <uv.h>

struct batch;

#define TCP_LISTENERS_MAX 32

/* What all connections together may take of a turn of the loop, before datagrams are looked at
 * again: octets received, answered and sent late, and so many more for each query and for each
 * instance that was looked at. One large answer takes about 0.1 ms. */
#define TCP_TURN       131072
#define TCP_TURN_QUERY 256
#define TCP_TURN_LOOK  16
#define TCP_TURN_INPUT 4 /* octets received count as one sent */

/* The output holds at least one whole reply after any flush, and TCP_FLUSH octets between flushes.
 */
#define TCP_FLUSH      65536
#define TCP_OUTPUT_MAX (TCP_FLUSH + FRAMING_MAX)

/* What all workers have together. */
struct tcp_share {
    unsigned limit;           /* slots: 1 or more */
    unsigned used;            /* atomic; for a moment more than there are */
    unsigned workers;         /* 1 or more */
    struct name_seed seed;    /* of a hash of clients */
    axfr_hand_over *transfer; /* who makes transfers; NULL: allow_transfer is, too */
    void *transfer_arg;
};

struct tcp_listener {
    uv_poll_t poll;
    struct tcp *tcp;
    int fd; /* -1 = closed */
};

/* Clients with as many connections; who has had so many for longest comes first. */
TAILQ_HEAD(tcp_level, tcp_client);

struct tcp_clients {
    struct tcp_client **buckets; /* by hash */
    struct tcp_level *levels;    /* by the number of connections */
    uint64_t mask;
    unsigned top_level; /* the highest that holds a client; 0: there is none */
};

struct tcp {
    uv_loop_t *loop;
    struct batch *batch;
    struct tcp_share *share;
    unsigned idle_ms;
    struct tcp_listener listeners[TCP_LISTENERS_MAX];
    unsigned listener_count;
    bool is_starved; /* no file descriptors: the listeners are off until the next sweep */
    bool is_stopping;
    uint64_t stop_ms; /* then: when even those with a backlog are closed */
    uv_timer_t sweep; /* runs while there is somebody to close or to wake */
    uv_timer_cb on_sweep;
    TAILQ_HEAD(tcp_conns, tcp_conn) conns; /* the one that made progress longest ago comes first */
    unsigned count, leaving_count; /* connections; of them those that only wait to be closed */
    struct tcp_clients clients;
    int64_t turn_left;           /* of TCP_TURN */
    struct tcp_conns turns;      /* those that wait for another turn */
    uv_idle_t busy;              /* runs while there are such: then the loop does not wait */
    struct axfr_request request; /* of the connection that is about to be handed over */
    /* Of whichever connection is being served: one that waits holds only what is unfinished. */
    size_t output_len;
    uint8_t input[FRAMING_MAX];
    uint8_t output[TCP_OUTPUT_MAX + ANSWER_SLACK];
};

struct tcp_conn {
    uv_poll_t poll;
    struct tcp *tcp;
    TAILQ_ENTRY(tcp_conn) by_progress, by_client, by_turn; /* in the lists of worker and client */
    struct tcp_client *client;                             /* its prefix */
    uint64_t last_progress_ms;                             /* of the loop's clock */
    uint8_t *input, *output; /* NULL = none; output_at octets of it are sent */
    uint32_t input_len, output_len, output_at;
    int fd;
    int events;          /* polled for; 0 = none */
    bool is_waiting;     /* for another turn; */
    bool is_unread;      /* then to be read from */
    bool is_leaving;     /* has nothing more to read or answer; the kernel is still sending */
    bool is_handed_over; /* to be handed over with tcp->request, instead of closed */
    union socket_address address;
};

#endif
