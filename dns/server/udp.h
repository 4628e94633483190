/* dns/server/udp.h - datagrams in, datagrams out, sixteen to a system call.
 *
 * A worker has one struct udp for all its sockets: message headers, vectors, addresses and buffers
 * are tied together once by udp_init(), and a batch only resets what the kernel changed. Replies go
 * out of the slots that the queries came into. Sending never blocks: what the kernel does not take
 * is counted and forgotten, as the network might have done.
 *
 * Memory: 16 slots of 8.4 kB. Threads: belongs to its worker, an RCU reader. */
#ifndef DNS_SERVER_UDP_H
#define DNS_SERVER_UDP_H

#include "batch.h"
#include "dns/wire/socket.h"
#include "rate_limit.h"

#include <stdalign.h>

#define UDP_QUERY_MAX 4096 /* a longer query is a FORMERR */
#define UDP_REPLY_MAX 4096

/* One query and its reply. The odd 64 octets keep the slots' beginnings, which is where queries
 * are, out of one another's cache sets. */
struct udp_slot {
    uint8_t query[UDP_QUERY_MAX];
    uint8_t reply[UDP_REPLY_MAX + ANSWER_SLACK];
    union socket_address client;
    struct iovec query_vector, reply_vector;
    /* Where a query came to (struct in_pktinfo, in6_pktinfo) is where its reply comes from. */
    alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    uint8_t odd[64];
};

struct udp {
    struct batch *batch;
    struct rate_limit *limit; /* of all workers; NULL = none */
    uint32_t rate_limited;    /* by the limit, so far: every second is sent truncated */
    struct mmsghdr in[BATCH_SIZE], out[BATCH_SIZE];
    struct udp_slot slots[BATCH_SIZE];
};

/* Tie the parts together. batch and limit must outlive it. */
void udp_init(struct udp *udp, struct batch *batch, struct rate_limit *limit);

/* Answer what has come to the socket, at most `rounds` batches, so that other sockets get their
 * turn. has_pktinfo: the socket is bound to a wildcard. */
void udp_serve(struct udp *udp, int fd, bool has_pktinfo, unsigned rounds);

#endif
