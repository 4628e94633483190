/* dns/tcp_facts.h - what a worker and its TCP connections know of each other.
 *
 * Types alone, for tcp.h, tcp_list.h and tcp_conn.h.
 *
 * Threads: belong to their worker; only struct tcp_share is shared. */
#ifndef DNS_TCP_FACTS_H
#define DNS_TCP_FACTS_H

#include "env.h"
#include "framing.h"
#include "socket.h"
#include "transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct respond;

#define TCP_LISTENERS_MAX 32

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
    struct tcp_listener listeners[TCP_LISTENERS_MAX];
    unsigned listener_count;
    bool is_starved; /* no file descriptors: the listeners rest until the next sweep */
    bool is_stopping;
    uint64_t stop_ms; /* then: when even those with a backlog are closed */
    uv_timer_t sweep; /* runs while there is somebody to close or to wake */
    uv_timer_cb on_sweep;
    struct tcp_conn *oldest, *newest;
    struct transfer_request request; /* of the connection that is about to be given away */
    /* Of whichever connection is being served: one that waits holds only what is unfinished. */
    size_t output_len;
    uint8_t input[FRAMING_MAX];
    uint8_t output[TCP_OUTPUT_MAX + ANSWER_SLACK];
};

struct tcp_conn {
    uv_poll_t poll;
    struct tcp *tcp;
    struct tcp_conn *older, *newer; /* in the worker's list */
    uint64_t got_on_ms;             /* of the loop's clock */
    uint8_t *input, *output;        /* NULL = none; output_at octets of it are sent */
    uint32_t input_len, output_len, output_at;
    int fd;
    int events;    /* polled for */
    bool is_given; /* to be given away with tcp->request, instead of closed */
    union socket_address client;
};

#endif
