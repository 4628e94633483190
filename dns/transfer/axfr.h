/* dns/transfer/axfr.h - a zone transfer (RFC 5936), from the question on.
 *
 * A worker only recognises it: what the reply to it begins with becomes a struct axfr_request,
 * and whoever has been named in server_options takes over the connection with it. The zone must
 * stand still while it is sent, and sending may block for long: so that is for a process of its
 * own, whose memory is a copy of the server's (fork(2)), as Redis saves.
 *
 * IXFR (RFC 1995) is answered as AXFR, or with the SOA record alone where the client has this
 * serial or a later one.
 *
 * Threads: as each function says. */
#ifndef DNS_TRANSFER_AXFR_H
#define DNS_TRANSFER_AXFR_H

#include "dns/wire/query.h"

struct zone;

#define AXFR_OPT_MAX  256
#define AXFR_HEAD_MAX (12 + NAME_MAX_LEN + 4 + AXFR_OPT_MAX)

/* Plain memory: may be copied and kept. */
struct axfr_request {
    uint16_t type; /* AXFR or IXFR */
    uint16_t head_len, question_len;
    uint8_t head[AXFR_HEAD_MAX]; /* a reply without records: header, question, OPT record */
};

/* Takes over a connection (a socket that does not block), from now on its to close, and a request,
 * borrowed for the call. In a worker's thread: must not block. */
typedef void axfr_hand_over(void *arg, int fd, const struct axfr_request *request);

/* How fast a client must read. */
struct axfr_pace {
    uint32_t patience_ms;  /* in which it takes something, and before its speed counts; 1 or more */
    uint32_t octets_per_s; /* from the beginning; 0 = any */
};

/* Write the whole zone to the socket, then wait for the client to take the rest and close. Blocks,
 * as long as the client keeps the pace. The zone must not change meanwhile. Uses nothing but system
 * calls and malloc(): may be called after fork(). The caller closes, which drops what the client
 * has not taken. UNREACHABLE: the client went away or is too slow. NO_MEMORY, TOO_LARGE: broken
 * off, so that the client knows it has not everything. */
MUST_USE enum status axfr_serve(const struct zone *zone, const struct axfr_request *request,
                                const struct axfr_pace *pace, int fd);

/* Say that there will be no transfer, with this rcode (0-15), and close. Does not block. Any
 * thread. */
void axfr_refuse(const struct axfr_request *request, uint16_t rcode, int fd);

/* The messages of a transfer, one by one, each behind its two octets of length. False: no more. */
typedef bool axfr_write(void *arg, const uint8_t *bytes, size_t len);
/* CANCELLED: `write` said so. NO_MEMORY, TOO_LARGE. */
MUST_USE enum status axfr_messages(const struct zone *zone, const struct axfr_request *request,
                                   axfr_write *write, void *arg);

#endif
