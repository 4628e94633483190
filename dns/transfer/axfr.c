#include "axfr.h"

#include "dns/answer/reply.h"
#include "dns/wire/compress.h"
#include "dns/wire/framing.h"
#include "dns/wire/socket.h"
#include "zones/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Of a message with more than one record: pointers reach this far (RFC 1035 4.1.4). */
#define MESSAGE_LEN    16384
#define RR_FIXED       10 /* type, class, TTL, length */
#define FLAG_AA        0x04
#define SOA_NUMBERS    20
#define SOA_MAX        (2 * NAME_MAX_LEN + SOA_NUMBERS)
#define LINGER_MS      1000 /* for a client that has all to close */
#define LINGER_STEP_MS 50
#define SEND_OCTETS    (1 << 20) /* of the kernel's: more than for a connection that only asks */

struct axfr {
    const struct axfr_request *request;
    axfr_write *write;
    void *arg;
    enum status status; /* what went wrong first */
    bool is_first;      /* the message being written is */
    uint16_t count;     /* records in it */
    size_t len;         /* its octets */
    struct compress compress;
    /* The first record, which is the last, too. */
    struct dump_record soa;
    uint8_t soa_owner[NAME_MAX_LEN], soa_rdata[SOA_MAX];
    uint8_t bytes[FRAMING_MAX];
};

static uint8_t *axfr_message_of(struct axfr *transfer)
{
    return transfer->bytes + FRAMING_PREFIX;
}

static size_t axfr_opt_len(const struct axfr *transfer)
{
    const struct axfr_request *request = transfer->request;
    if (!transfer->is_first)
        return 0;
    return (size_t)request->head_len - QUERY_HEADER - request->question_len;
}

/* The question stands in the first message alone (RFC 5936 2.2.1), and so does OPT (2.2.5). */
static void axfr_begin_message(struct axfr *transfer)
{
    const struct axfr_request *request = transfer->request;
    uint8_t *message = axfr_message_of(transfer);
    compress_reset(&transfer->compress);
    memcpy(message, request->head, QUERY_HEADER);
    message[2] |= FLAG_AA;
    transfer->count = 0;
    transfer->len = QUERY_HEADER;
    if (!transfer->is_first)
        return;
    const uint8_t *question = request->head + QUERY_HEADER;
    size_t end = compress_name(&transfer->compress, message, QUERY_HEADER, question);
    memcpy(message + end, question + end - QUERY_HEADER, 4);
    transfer->len = end + 4;
}

static void axfr_end_message(struct axfr *transfer)
{
    const struct axfr_request *request = transfer->request;
    uint8_t *message = axfr_message_of(transfer);
    size_t opt = axfr_opt_len(transfer); /* the end of the head */
    memcpy(message + transfer->len, request->head + request->head_len - opt, opt);
    transfer->len += opt;
    rr_put16(message + 4, transfer->is_first);
    rr_put16(message + 6, transfer->count);
    rr_put16(message + 8, 0);
    rr_put16(message + 10, opt > 0);
    rr_put16(transfer->bytes, (uint32_t)transfer->len);
    if (!transfer->write(transfer->arg, transfer->bytes, FRAMING_PREFIX + transfer->len))
        transfer->status = STATUS_CANCELLED;
    transfer->is_first = false;
}

static size_t axfr_name_len(const uint8_t *name)
{
    size_t len = 0;
    while (name[len] != 0)
        len += 1u + name[len];
    return len + 1;
}

/* RFC 3597 4: names are compressed in the data of the types of RFC 1035 alone. */
static size_t axfr_put_rdata(struct axfr *transfer, size_t at, const struct dump_record *record)
{
    struct compress *compress = &transfer->compress;
    uint8_t *message = axfr_message_of(transfer);
    const uint8_t *rdata = record->rdata;
    if (record->type == TYPE_PTR || record->type == TYPE_NS)
        return compress_name(compress, message, at, rdata);
    if (record->type == TYPE_SOA) {
        at = compress_name(compress, message, at, rdata);
        rdata += axfr_name_len(rdata);
        at = compress_name(compress, message, at, rdata);
        memcpy(message + at, rdata + axfr_name_len(rdata), SOA_NUMBERS);
        return at + SOA_NUMBERS;
    }
    memcpy(message + at, rdata, record->rdata_len);
    return at + record->rdata_len;
}

static void axfr_put_record(struct axfr *transfer, const struct dump_record *record)
{
    uint8_t *message = axfr_message_of(transfer);
    /* As if nothing of it could be compressed. */
    size_t max_len =
        (size_t)record->owner_len + RR_FIXED + record->rdata_len + axfr_opt_len(transfer);
    /* A record too large for that has a message of its own, of up to 64 KiB. */
    if (transfer->count > 0 && transfer->len + max_len > MESSAGE_LEN) {
        axfr_end_message(transfer);
        axfr_begin_message(transfer);
    }
    if (transfer->len + max_len > ANSWER_MAX)
        transfer->status = STATUS_TOO_LARGE;
    if (transfer->status != STATUS_OK)
        return;
    size_t at = compress_name(&transfer->compress, message, transfer->len, record->owner);
    rr_put16(message + at, record->type);
    rr_put16(message + at + 2, CLASS_IN);
    rr_put32(message + at + 4, record->ttl_s);
    transfer->len = axfr_put_rdata(transfer, at + RR_FIXED, record);
    rr_put16(message + at + 8, (uint32_t)(transfer->len - at - RR_FIXED));
    transfer->count++;
}

static bool axfr_each(void *arg, const struct dump_record *record)
{
    struct axfr *transfer = arg;
    /* RFC 5936 2.2: it ends the transfer, too. The dump lends it for this call alone. */
    if (record->type == TYPE_SOA && record->rdata_len <= SOA_MAX) {
        transfer->soa = *record;
        memcpy(transfer->soa_owner, record->owner, record->owner_len);
        memcpy(transfer->soa_rdata, record->rdata, record->rdata_len);
        transfer->soa.owner = transfer->soa_owner;
        transfer->soa.rdata = transfer->soa_rdata;
    }
    axfr_put_record(transfer, record);
    return transfer->status == STATUS_OK;
}

enum status axfr_messages(const struct zone *zone, const struct axfr_request *request,
                          axfr_write *write, void *arg)
{
    struct axfr *transfer = calloc(1, sizeof(*transfer));
    if (!transfer)
        return STATUS_NO_MEMORY;
    transfer->request = request;
    transfer->write = write;
    transfer->arg = arg;
    transfer->is_first = true;
    axfr_begin_message(transfer);
    enum status status = dump_zone(zone, axfr_each, transfer);
    if (status == STATUS_OK)
        axfr_put_record(transfer, &transfer->soa);
    if (status == STATUS_OK && transfer->status == STATUS_OK)
        axfr_end_message(transfer);
    if (status == STATUS_OK || status == STATUS_CANCELLED)
        status = transfer->status;
    free(transfer);
    return status;
}

struct sending {
    int fd;
    const struct axfr_pace *pace;
    uint64_t begun_ms, sent;
};

static uint64_t axfr_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Counted is what the kernel took, up to SEND_OCTETS more than the client has: axfr_linger() sees
 * to the rest. */
static bool axfr_keeps_pace(const struct sending *sending)
{
    uint64_t ms = axfr_now_ms() - sending->begun_ms;
    return ms <= sending->pace->patience_ms ||
           sending->sent >= ms * sending->pace->octets_per_s / 1000;
}

static bool axfr_send_all(void *arg, const uint8_t *bytes, size_t len)
{
    struct sending *sending = arg;
    while (len > 0) {
        ssize_t sent = send(sending->fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
        sending->sent += (size_t)sent;
        if (!axfr_keeps_pace(sending))
            return false;
    }
    return true;
}

/* A worker's socket does not block; here to block is what keeps the pace of the client. A send(2)
 * that gets nowhere for as long as the client's patience lasts fails. */
static bool axfr_prepare(const struct sending *sending)
{
    uint32_t ms = sending->pace->patience_ms;
    struct timeval patience = {.tv_sec = ms / 1000, .tv_usec = (long)(ms % 1000) * 1000};
    int fd = sending->fd, flags = fcntl(fd, F_GETFL), octets = SEND_OCTETS;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
    return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0;
}

/* Wait a moment for the client to close its side. Whether it has. */
static bool axfr_has_ended(int fd, bool has_ended_before, uint32_t ms)
{
    uint8_t unwanted[4096];
    struct pollfd poll_fd = {.fd = fd, .events = has_ended_before ? 0 : POLLIN};
    if (!has_ended_before)
        return poll(&poll_fd, 1, (int)ms) > 0 && recv(fd, unwanted, sizeof(unwanted), 0) <= 0;
    /* Of a connection that both have ended poll(2) tells nothing more. */
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
    return true;
}

/* To close with something unread would be a reset, which may overtake the last messages; and to
 * close before the client has taken them would drop them. No event says that it has, so the kernel
 * is asked again and again. */
static void axfr_linger(const struct sending *sending)
{
    const struct axfr_pace *pace = sending->pace;
    size_t min_octets = (size_t)((uint64_t)pace->patience_ms * pace->octets_per_s / 1000);
    size_t left = socket_unsent(sending->fd), before = left;
    bool is_ended = false;
    if (shutdown(sending->fd, SHUT_WR) != 0)
        return;
    for (uint32_t waited_ms = 0; left > 0 || (!is_ended && waited_ms < LINGER_MS);
         waited_ms += LINGER_STEP_MS) {
        is_ended = axfr_has_ended(sending->fd, is_ended, LINGER_STEP_MS);
        left = socket_unsent(sending->fd);
        if (left == 0 || waited_ms < pace->patience_ms)
            continue;
        if (left + min_octets > before)
            return;
        before = left;
        waited_ms = 0;
    }
}

enum status axfr_serve(const struct zone *zone, const struct axfr_request *request,
                       const struct axfr_pace *pace, int fd)
{
    struct sending sending = {.fd = fd, .pace = pace, .begun_ms = axfr_now_ms()};
    if (!axfr_prepare(&sending))
        return STATUS_UNREACHABLE;
    enum status status = axfr_messages(zone, request, axfr_send_all, &sending);
    if (status == STATUS_OK)
        axfr_linger(&sending);
    if (socket_unsent(fd) != 0) {
        socket_drop(fd);
        status = status == STATUS_OK ? STATUS_UNREACHABLE : status;
    }
    return status == STATUS_CANCELLED ? STATUS_UNREACHABLE : status;
}

/* The head was made without a rcode (xfr_query_keep()), for the transfer that there should have
 * been. */
void axfr_refuse(const struct axfr_request *request, uint16_t rcode, int fd)
{
    uint8_t bytes[FRAMING_PREFIX + AXFR_HEAD_MAX];
    rr_put16(bytes, request->head_len);
    memcpy(bytes + FRAMING_PREFIX, request->head, request->head_len);
    bytes[FRAMING_PREFIX + 3] = (uint8_t)(bytes[FRAMING_PREFIX + 3] | (rcode & 15));
    /* A few octets on a socket that owes nothing: they fit, or the client is gone. */
    ssize_t sent =
        send(fd, bytes, FRAMING_PREFIX + (size_t)request->head_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
    close(fd);
}
