#include "udp.h"

#include <errno.h>

void udp_init(struct udp *udp, struct batch *batch, struct rate_limit *limit)
{
    memset(udp, 0, sizeof(*udp));
    udp->batch = batch;
    udp->limit = limit;
    for (unsigned i = 0; i < BATCH_SIZE; i++) {
        struct udp_slot *slot = &udp->slots[i];
        slot->query_vector = (struct iovec){slot->query, sizeof(slot->query)};
        slot->reply_vector = (struct iovec){slot->reply, 0};
        udp->in[i].msg_hdr = (struct msghdr){
            .msg_name = &slot->client, .msg_iov = &slot->query_vector, .msg_iovlen = 1};
    }
}

/* What recvmmsg() overwrote, or another kind of socket had set. */
static void udp_reset(struct udp *udp, bool has_pktinfo)
{
    for (unsigned i = 0; i < BATCH_SIZE; i++) {
        struct msghdr *header = &udp->in[i].msg_hdr;
        header->msg_namelen = sizeof(udp->slots[i].client);
        header->msg_control = has_pktinfo ? udp->slots[i].control : NULL;
        header->msg_controllen = has_pktinfo ? sizeof(udp->slots[i].control) : 0;
    }
}

/* Turn what the kernel said of where a query came to into what it wants to hear for the reply: the
 * address, and no interface, so that routing decides; but a link-local address means nothing
 * without. */
static void udp_fix_source(struct msghdr *header)
{
    struct cmsghdr *control = CMSG_FIRSTHDR(header);
    if (!control)
        return;
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(control);
        info->ipi_ifindex = 0;
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo *info = (struct in6_pktinfo *)(void *)CMSG_DATA(control);
        if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
            info->ipi6_ifindex = 0;
    }
}

static void udp_read_batch(struct udp *udp, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct udp_slot *slot = &udp->slots[i];
        batch_read(udp->batch, i, slot->query, udp->in[i].msg_len, QUERY_UDP, &slot->client.sa);
        if (udp->in[i].msg_hdr.msg_flags & MSG_TRUNC)
            batch_cut(udp->batch, i);
    }
    answer_fetch(udp->batch->zone, udp->batch->queries, count);
}

/* A valid cookie proves that the address is not forged; that is known only once there is an answer.
 */
static bool udp_is_rate_limited(struct udp *udp, unsigned i, const struct answer_result *result)
{
    return udp->limit && !result->has_valid_cookie &&
           !rate_limit_allows(udp->limit, &udp->slots[i].client.sa, udp->batch->now_us);
}

static size_t udp_write_reply(struct udp *udp, unsigned i)
{
    struct answer_result result;
    uint8_t *reply = udp->slots[i].reply;
    size_t len = batch_answer(udp->batch, i, reply, UDP_REPLY_MAX, &result);
    if (len != 0 && udp_is_rate_limited(udp, i, &result)) {
        counters_bump(&udp->batch->counters->rate_limited);
        len = 0;
        /* Dropped or truncated in turn (BIND's "slip 2"): a victim gets half of them, and those
         * are small; a client with a true address soon has one, and comes by TCP. */
        if (udp->rate_limited++ & 1)
            len = batch_truncated(udp->batch, i, reply, UDP_REPLY_MAX, &result);
    }
    if (len != 0)
        counters_reply(udp->batch->counters, QUERY_UDP, &result);
    return len;
}

/* The number of replies now in udp->out: without gaps, as sendmmsg(2) takes them, so that a reply's
 * header is not at its query's place. */
static unsigned udp_write_batch(struct udp *udp, unsigned count)
{
    unsigned replies = 0;
    for (unsigned i = 0; i < count; i++) {
        struct udp_slot *slot = &udp->slots[i];
        size_t len = udp_write_reply(udp, i);
        if (len == 0)
            continue;
        struct msghdr *header = &udp->out[replies++].msg_hdr;
        *header = udp->in[i].msg_hdr;
        if (header->msg_control)
            udp_fix_source(header);
        slot->reply_vector.iov_len = len;
        header->msg_iov = &slot->reply_vector;
    }
    return replies;
}

static void udp_send_batch(struct udp *udp, int fd, unsigned count)
{
    unsigned at = 0;
    while (at < count) {
        int sent = sendmmsg(fd, udp->out + at, count - at, MSG_DONTWAIT);
        if (sent > 0) {
            at += (unsigned)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        /* The first of them failed. Another may go elsewhere, but not past a full queue. */
        bool is_full = errno == EAGAIN || errno == ENOBUFS;
        do {
            counters_bump(&udp->batch->counters->send_failed);
            at++;
        } while (is_full && at < count);
    }
}

void udp_serve(struct udp *udp, int fd, bool has_pktinfo, unsigned rounds)
{
    int received = BATCH_SIZE;
    /* A batch that is not full has emptied the socket: no system call more only to learn that. */
    for (unsigned round = 0; round < rounds && received == BATCH_SIZE; round++) {
        udp_reset(udp, has_pktinfo);
        received = recvmmsg(fd, udp->in, BATCH_SIZE, MSG_DONTWAIT, NULL);
        if (received <= 0)
            break;
        unsigned count = (unsigned)received;
        batch_begin(udp->batch);
        udp_read_batch(udp, count);
        unsigned replies = udp_write_batch(udp, count);
        batch_end(udp->batch);
        udp_send_batch(udp, fd, replies);
    }
}
