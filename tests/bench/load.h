/* tests/bench/load.h - the load generator: prebuilt queries sent, answers counted.
 *
 * One thread on one core must outrun a server on another. So queries are prebuilt by dataset.py and
 * only their IDs change; many go into one system call; and the generator polls with short sleeps
 * and never blocks in recv, so that no server pays for waking it.
 *
 * Units: *_ns is CLOCK_MONOTONIC nanoseconds. Threads: one. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_WINDOW_MAX 4096 /* outstanding queries; with 16 reuses of a slot an ID of 16 bits */
#define LOAD_BATCH      32   /* queries gathered for one system call */
#define LOAD_LOST_NS    1000000000U

/* The file: a length of two octets, big-endian, then the message; again and again, as on a TCP
 * stream. */
struct load_queries {
    uint8_t *octets;
    uint8_t **at; /* each message, behind its length */
    uint16_t *len;
    size_t count;
    size_t next; /* the one to be sent next */
};

struct load_tally {
    uint64_t start_ns; /* of the queries */
    uint64_t sent, answers, lost;
    uint64_t unexpected; /* no such query outstanding, or another question in it */
    uint64_t truncated;
    uint64_t rcodes[16];
    uint32_t *latency_ns; /* NULL: not wanted */
    size_t latency_count, latency_max;
};

struct load_slot {
    const uint8_t *query;
    uint64_t sent_ns; /* or when it should have been sent; 0 = nothing outstanding */
    uint16_t len, id;
};

/* Queries that await their answers on one socket. */
struct load_window {
    struct load_slot *slots;
    uint16_t *free;
    unsigned size, free_count;
};

struct load_options {
    struct sockaddr_in server;
    uint64_t duration_ns;
    uint64_t count; /* stop after so many answers; 0 = by time alone */
    unsigned window, connections, rate;
    bool is_waiting; /* between queries of a fixed rate: sleep instead of spin */
};

uint64_t load_now_ns(void);
void load_pause(long pause_ns);
/* The time is up, enough has been answered, or SIGTERM has come. */
bool load_is_over(const struct load_options *options, const struct load_tally *tally,
                  uint64_t now_ns, uint64_t end_ns);
/* Print and exit 1, with the text of errno. */
_Noreturn void load_fail(const char *what);

void window_init(struct load_window *window, unsigned size);
void window_free(struct load_window *window);
/* The next query with an ID of its own; the window must have a free slot. */
const struct load_slot *window_take(struct load_window *window, struct load_queries *queries,
                                    uint64_t now_ns);
/* Count a message from the server and free its slot. */
void window_answer(struct load_window *window, struct load_tally *tally, const uint8_t *message,
                   size_t len, uint64_t now_ns);
/* Give up what has been outstanding for LOAD_LOST_NS, or, at the end, everything. */
void window_expire(struct load_window *window, struct load_tally *tally, uint64_t now_ns,
                   bool is_end);

void load_udp_closed(const struct load_options *options, struct load_queries *queries,
                     struct load_tally *tally);
void load_udp_rate(const struct load_options *options, struct load_queries *queries,
                   struct load_tally *tally);
/* `connections` connections with `window` outstanding queries each. */
void load_tcp(const struct load_options *options, struct load_queries *queries,
              struct load_tally *tally);

#endif
