#include "load.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_MAX    1500
#define EXPIRE_NS       20000000U
#define CLOSED_PAUSE_NS 60000 /* the window keeps a server busy for longer */
#define RATE_PAUSE_NS   20000

/* Headers and buffers set up once for both directions. */
struct udp {
    int socket;
    struct mmsghdr out[LOAD_BATCH], in[LOAD_BATCH];
    struct iovec out_vector[LOAD_BATCH], in_vector[LOAD_BATCH];
    uint8_t buffers[LOAD_BATCH][DATAGRAM_MAX];
    union {
        struct cmsghdr header; /* for its alignment */
        uint8_t octets[CMSG_SPACE(sizeof(uint16_t))];
    } segment[LOAD_BATCH];
    struct load_window window;
};

static void udp_open(struct udp *udp, const struct load_options *options)
{
    int size = 4 << 20;

    memset(udp, 0, sizeof(*udp));
    udp->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (udp->socket < 0 || connect(udp->socket, (const struct sockaddr *)&options->server,
                                   sizeof(options->server)) < 0)
        load_fail("UDP socket");
    /* FORCE needs privilege; without it the kernel's limit has to do. */
    if (setsockopt(udp->socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 &&
        setsockopt(udp->socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
        load_fail("SO_RCVBUF");
    for (int i = 0; i < LOAD_BATCH; i++) {
        udp->in_vector[i] = (struct iovec){.iov_base = udp->buffers[i], .iov_len = DATAGRAM_MAX};
        udp->in[i].msg_hdr = (struct msghdr){.msg_iov = &udp->in_vector[i], .msg_iovlen = 1};
    }
    window_init(&udp->window, options->window);
}

static void udp_close(struct udp *udp, struct load_tally *tally)
{
    window_expire(&udp->window, tally, 0, true);
    window_free(&udp->window);
    close(udp->socket);
}

static int udp_receive(struct udp *udp, struct load_tally *tally)
{
    int count = recvmmsg(udp->socket, udp->in, LOAD_BATCH, MSG_DONTWAIT, NULL);
    uint64_t now_ns = tally->latency_ns ? load_now_ns() : 1;

    if (count < 0 && errno != EAGAIN && errno != EINTR)
        load_fail("recvmmsg");
    for (int i = 0; i < count; i++)
        window_answer(&udp->window, tally, udp->buffers[i], udp->in[i].msg_len, now_ns);
    return count;
}

static void udp_queue(struct udp *udp, unsigned i, const struct load_slot *slot)
{
    /* sendmmsg only reads it: the cast takes away what iovec cannot express. */
    udp->out_vector[i] =
        (struct iovec){.iov_base = (void *)(uintptr_t)slot->query, .iov_len = slot->len};
}

static int compare_len(const void *a, const void *b)
{
    size_t x = ((const struct iovec *)a)->iov_len, y = ((const struct iovec *)b)->iov_len;

    return x < y ? -1 : x > y;
}

/* One message for `count` datagrams of one length, which the kernel takes apart. */
static void udp_segment(struct udp *udp, unsigned message, unsigned first, unsigned count)
{
    struct msghdr *header = &udp->out[message].msg_hdr;
    uint16_t len = (uint16_t)udp->out_vector[first].iov_len;
    struct cmsghdr *segment;

    *header = (struct msghdr){.msg_iov = &udp->out_vector[first], .msg_iovlen = count};
    if (count == 1)
        return;
    header->msg_control = &udp->segment[message];
    header->msg_controllen = sizeof(udp->segment[message].octets);
    segment = CMSG_FIRSTHDR(header);
    segment->cmsg_level = SOL_UDP;
    segment->cmsg_type = UDP_SEGMENT;
    segment->cmsg_len = CMSG_LEN(sizeof(len));
    memcpy(CMSG_DATA(segment), &len, sizeof(len));
}

/* Send what is queued, in order of length: most queries of a batch are equally long, and
 * segmentation offload sends those for two thirds of the cost. The server cannot tell. */
static void udp_flush(struct udp *udp, struct load_tally *tally, unsigned count)
{
    unsigned messages = 0;

    qsort(udp->out_vector, count, sizeof(*udp->out_vector), compare_len);
    for (unsigned i = 0, n; i < count; i += n) {
        for (n = 1; i + n < count; n++)
            if (udp->out_vector[i + n].iov_len != udp->out_vector[i].iov_len)
                break;
        udp_segment(udp, messages++, i, n);
    }
    for (unsigned sent = 0; sent < messages;) {
        int n = sendmmsg(udp->socket, udp->out + sent, messages - sent, 0);
        if (n < 0 && errno != EINTR)
            load_fail("sendmmsg");
        sent += n > 0 ? (unsigned)n : 0;
    }
    tally->sent += count;
}

/* Answers still on their way when the time is up are no losses. */
static void udp_drain(struct udp *udp, struct load_tally *tally)
{
    uint64_t end_ns = load_now_ns() + LOAD_LOST_NS / 4;

    while (udp->window.free_count < udp->window.size && load_now_ns() < end_ns)
        if (udp_receive(udp, tally) <= 0)
            load_pause(RATE_PAUSE_NS);
}

void load_udp_closed(const struct load_options *options, struct load_queries *queries,
                     struct load_tally *tally)
{
    struct udp udp;
    uint64_t now_ns = load_now_ns(), end_ns = now_ns + options->duration_ns;
    uint64_t expire_ns = now_ns + EXPIRE_NS, last_ns = now_ns;
    unsigned batch = options->window < 2 * LOAD_BATCH ? 1 : LOAD_BATCH;

    udp_open(&udp, options);
    while (!load_is_over(options, tally, now_ns, end_ns)) {
        unsigned count = 0;
        /* Answers that trickle in are gathered, unless they stopped coming because some were lost.
         */
        if (udp.window.free_count >= batch || now_ns > last_ns + EXPIRE_NS / 20)
            while (count < LOAD_BATCH && udp.window.free_count)
                udp_queue(&udp, count++, window_take(&udp.window, queries, now_ns));
        udp_flush(&udp, tally, count);
        if (udp_receive(&udp, tally) > 0)
            last_ns = now_ns;
        else if (udp.window.free_count < batch)
            load_pause(CLOSED_PAUSE_NS);
        now_ns = load_now_ns();
        if (now_ns >= expire_ns) {
            window_expire(&udp.window, tally, now_ns, false);
            expire_ns = now_ns + EXPIRE_NS;
        }
    }
    udp_drain(&udp, tally);
    udp_close(&udp, tally);
}

/* An open loop: queries leave by the clock, whatever becomes of the answers, and latency counts
 * from when a query was due. A query that finds the window full is lost. */
static unsigned rate_send(struct udp *udp, struct load_queries *queries, struct load_tally *tally,
                          uint64_t due_ns, uint64_t step_ns, uint64_t now_ns)
{
    unsigned due = 0, count = 0;

    for (; due < LOAD_BATCH && due_ns <= now_ns; due++, due_ns += step_ns) {
        if (udp->window.free_count)
            udp_queue(udp, count++, window_take(&udp->window, queries, due_ns));
        else
            tally->sent++, tally->lost++;
    }
    udp_flush(udp, tally, count);
    return due;
}

void load_udp_rate(const struct load_options *options, struct load_queries *queries,
                   struct load_tally *tally)
{
    struct udp udp;
    uint64_t step_ns = 1000000000U / options->rate, now_ns = load_now_ns();
    uint64_t due_ns = now_ns, end_ns = now_ns + options->duration_ns;
    uint64_t expire_ns = now_ns + EXPIRE_NS;

    udp_open(&udp, options);
    while (!load_is_over(options, tally, now_ns, end_ns)) {
        due_ns += step_ns * rate_send(&udp, queries, tally, due_ns, step_ns, now_ns);
        if (udp_receive(&udp, tally) <= 0 && options->is_waiting && due_ns > load_now_ns())
            load_pause(RATE_PAUSE_NS);
        now_ns = load_now_ns();
        if (now_ns >= expire_ns) {
            window_expire(&udp.window, tally, now_ns, false);
            expire_ns = now_ns + EXPIRE_NS;
        }
    }
    udp_drain(&udp, tally);
    udp_close(&udp, tally);
}
