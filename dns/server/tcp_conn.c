#include "tcp_conn.h"

#include "batch.h"
#include "dns/transfer/xfr_query.h"
#include "tcp_list.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A connection that finishes is read at most so often: a client may send faster than we read. */
#define FINISH_READS 16

enum flow {
    FLOW_GO,    /* all that was to be done is done */
    FLOW_PAUSE, /* go on when the socket is writable */
    FLOW_YIELD, /* go on in another turn of the loop */
    FLOW_END,   /* the client has sent all and been answered, or the connection is handed over */
    FLOW_LOST   /* the connection is of no use any more */
};

static void tcp_conn_on_event(uv_poll_t *poll, int status, int events);

static void tcp_conn_on_closed(uv_handle_t *handle)
{
    struct tcp_conn *conn = handle->data;
    free(conn->input);
    free(conn->output);
    free(conn);
}

static bool tcp_conn_poll_for(struct tcp_conn *conn, int events)
{
    if (conn->events == events)
        return true; /* libuv would go to the kernel for it all the same */
    conn->events = events;
    return uv_poll_start(&conn->poll, events, tcp_conn_on_event) == 0;
}

bool tcp_conn_open(struct tcp *tcp, int fd, const union socket_address *client)
{
    struct tcp_conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        return false;
    if (uv_poll_init(tcp->loop, &conn->poll, fd) != 0) {
        free(conn);
        return false;
    }
    conn->poll.data = conn;
    conn->tcp = tcp;
    conn->fd = fd;
    conn->address = *client;
    /* libuv holds the handle until its callback; of the descriptor it lets go at once. */
    if (!tcp_conn_poll_for(conn, UV_READABLE) || !tcp_list_join(tcp, conn)) {
        uv_close((uv_handle_t *)&conn->poll, tcp_conn_on_closed);
        return false;
    }
    return true;
}

bool tcp_conn_is_idle(const struct tcp_conn *conn)
{
    return conn->input_len == 0 && conn->events == UV_READABLE;
}

/* It waits no more for its turn. */
static void tcp_conn_leave_turns(struct tcp_conn *conn)
{
    struct tcp *tcp = conn->tcp;
    TAILQ_REMOVE(&tcp->turns, conn, by_turn);
    if (TAILQ_EMPTY(&tcp->turns))
        uv_idle_stop(&tcp->busy);
    conn->is_waiting = false;
}

void tcp_conn_close(struct tcp_conn *conn)
{
    const struct tcp_share *share = conn->tcp->share;
    if (conn->is_waiting)
        tcp_conn_leave_turns(conn);
    tcp_list_leave(conn->tcp, conn);
    /* Before the socket: once that is closed, its number may be another's. */
    uv_close((uv_handle_t *)&conn->poll, tcp_conn_on_closed);
    if (conn->is_handed_over) {
        share->transfer(share->transfer_arg, conn->fd, &conn->tcp->request);
        return;
    }
    if (conn->output || socket_unsent(conn->fd) != 0)
        socket_drop(conn->fd);
    close(conn->fd);
}

/* It is not closed before its client has taken the rest, as one that is closed holds no slot, and
 * the kernel's memory for as long as its client likes. */
static void tcp_conn_leave(struct tcp_conn *conn)
{
    if (conn->is_handed_over || socket_unsent(conn->fd) == 0) {
        tcp_conn_close(conn);
        return;
    }
    (void)shutdown(conn->fd, SHUT_WR);
    uv_poll_stop(&conn->poll);
    conn->events = 0;
    conn->is_leaving = true;
    conn->tcp->leaving_count++;
    tcp_list_mark_progress(conn->tcp, conn);
}

/* While an idle handle is active the loop does not wait: no event comes for those in the queue. */
static void tcp_conn_on_busy(uv_idle_t *busy)
{
    (void)busy;
}

static void tcp_conn_wait_for_turn(struct tcp_conn *conn, bool is_unread)
{
    struct tcp *tcp = conn->tcp;
    uv_poll_stop(&conn->poll);
    conn->events = 0;
    conn->is_waiting = true;
    conn->is_unread = is_unread;
    TAILQ_INSERT_TAIL(&tcp->turns, conn, by_turn);
    uv_idle_start(&tcp->busy, tcp_conn_on_busy);
}

/* Keep a copy of `bytes` in *place, or nothing. False without memory. */
static bool tcp_conn_keep(uint8_t **place, uint32_t *place_len, const uint8_t *bytes, size_t len)
{
    if (len == 0) {
        free(*place);
        *place = NULL;
        *place_len = 0;
        return true;
    }
    uint8_t *larger = realloc(*place, len);
    if (!larger)
        return false;
    memcpy(larger, bytes, len);
    *place = larger;
    *place_len = (uint32_t)len;
    return true;
}

/* Send what the kernel takes; *at moves on. */
static enum flow tcp_conn_send_some(const struct tcp_conn *conn, const uint8_t *bytes, size_t len,
                                    size_t *at)
{
    while (*at < len) {
        ssize_t sent = send(conn->fd, bytes + *at, len - *at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0)
            *at += (size_t)sent;
        else if (errno == EAGAIN)
            return FLOW_PAUSE;
        else if (errno != EINTR)
            return FLOW_LOST;
    }
    return FLOW_GO;
}

/* Send the worker's output; what is not taken becomes the connection's backlog. */
static enum flow tcp_conn_flush(struct tcp_conn *conn)
{
    struct tcp *tcp = conn->tcp;
    size_t at = 0;
    enum flow flow = tcp_conn_send_some(conn, tcp->output, tcp->output_len, &at);
    conn->output_at = 0;
    if (flow == FLOW_PAUSE &&
        !tcp_conn_keep(&conn->output, &conn->output_len, tcp->output + at, tcp->output_len - at))
        flow = FLOW_LOST;
    tcp->output_len = 0;
    return flow;
}

/* Progress only when all of it is gone: one who takes an octet now and then would keep its slot for
 * ever. */
static enum flow tcp_conn_drain(struct tcp_conn *conn)
{
    size_t at = conn->output_at;
    enum flow flow = tcp_conn_send_some(conn, conn->output, conn->output_len, &at);
    conn->tcp->turn_left -= (int64_t)(at - conn->output_at);
    conn->output_at = (uint32_t)at;
    if (flow == FLOW_GO) {
        free(conn->output);
        conn->output = NULL;
        conn->output_len = conn->output_at = 0;
        tcp_list_mark_progress(conn->tcp, conn);
    }
    return flow;
}

/* False: it is a transfer, and not ours to make. */
static bool tcp_conn_write_reply(struct tcp *tcp, unsigned i)
{
    struct answer_result result;
    uint8_t *reply = tcp->output + tcp->output_len;
    size_t len = batch_answer(tcp->batch, i, reply + FRAMING_PREFIX, ANSWER_MAX, &result);
    tcp->turn_left -= (int64_t)TCP_TURN_LOOK * result.looks;
    if (len == 0)
        return !result.is_transfer;
    rr_put16(reply, (uint32_t)len);
    tcp->output_len += FRAMING_PREFIX + len;
    counters_reply(tcp->batch->counters, QUERY_TCP, &result);
    return true;
}

/* After the replies to what was asked before. With a backlog of these, the i-th message is read
 * again when it is gone. */
static enum flow tcp_conn_hand_over(struct tcp_conn *conn, unsigned i)
{
    struct tcp *tcp = conn->tcp;
    enum flow flow = tcp->output_len != 0 ? tcp_conn_flush(conn) : FLOW_GO;
    if (flow != FLOW_GO)
        return flow;
    xfr_query_keep(&tcp->batch->env, &tcp->batch->queries[i], &tcp->request);
    conn->is_handed_over = true;
    return FLOW_END;
}

/* Read up to a batch of messages; ends[i] is where the i-th ends in the stream. */
static unsigned tcp_conn_read_batch(struct tcp_conn *conn, struct framing *framing,
                                    size_t ends[BATCH_SIZE])
{
    struct batch *batch = conn->tcp->batch;
    const uint8_t *message;
    size_t len;
    unsigned count = 0;
    while (count < BATCH_SIZE && framing_next(framing, &message, &len)) {
        batch_read(batch, count, message, len, QUERY_TCP, &conn->address.sa);
        ends[count++] = framing->at;
    }
    answer_fetch(batch->zone, batch->queries, count);
    return count;
}

/* Stops when the client takes no more, or all connections have had their turn. *at follows what is
 * answered; what is not is read anew then, since queries borrow from an input that is all
 * connections'. */
static enum flow tcp_conn_answer_batch(struct tcp_conn *conn, const size_t *ends, unsigned count,
                                       size_t *at)
{
    struct tcp *tcp = conn->tcp;
    for (unsigned i = 0; i < count; i++) {
        if (tcp->turn_left <= 0)
            return FLOW_YIELD;
        if (tcp->output_len > TCP_FLUSH) {
            enum flow flow = tcp_conn_flush(conn);
            if (flow != FLOW_GO)
                return flow;
        }
        size_t before = tcp->output_len;
        if (!tcp_conn_write_reply(tcp, i))
            return tcp_conn_hand_over(conn, i);
        tcp->turn_left -= (int64_t)(TCP_TURN_QUERY + tcp->output_len - before);
        *at = ends[i];
    }
    return FLOW_GO;
}

/* Answer the messages of a stream into few writes. *at is where the first unanswered one begins. */
static enum flow tcp_conn_serve(struct tcp_conn *conn, const uint8_t *bytes, size_t len, size_t *at)
{
    struct tcp *tcp = conn->tcp;
    struct framing framing = {.bytes = bytes, .len = len};
    size_t ends[BATCH_SIZE];
    unsigned count;
    enum flow flow;

    do {
        batch_begin(tcp->batch);
        count = tcp_conn_read_batch(conn, &framing, ends);
        flow = tcp_conn_answer_batch(conn, ends, count, at);
        batch_end(tcp->batch);
    } while (count == BATCH_SIZE && flow == FLOW_GO);

    if ((flow == FLOW_GO || flow == FLOW_YIELD) && tcp->output_len != 0) {
        enum flow flushed = tcp_conn_flush(conn);
        flow = flushed == FLOW_GO ? flow : flushed;
    }
    return flow;
}

/* Serve the octets in tcp->input, keep what is left over, and see to what comes next. */
static enum flow tcp_conn_advance(struct tcp_conn *conn, size_t len)
{
    struct tcp *tcp = conn->tcp;
    size_t at = 0;
    bool was_waiting = conn->input_len != 0;
    enum flow flow = tcp_conn_serve(conn, tcp->input, len, &at);

    if (flow == FLOW_END || flow == FLOW_LOST)
        return flow;
    if (!tcp_conn_keep(&conn->input, &conn->input_len, tcp->input + at, len - at))
        return FLOW_LOST;
    /* A message that only grows is no progress: an octet now and then would keep a slot for ever. */
    if (at != 0 || !was_waiting)
        tcp_list_mark_progress(tcp, conn);
    return flow;
}

/* Put what was left over before the octets to come. */
static size_t tcp_conn_take_input(struct tcp_conn *conn)
{
    if (conn->input_len != 0)
        memcpy(conn->tcp->input, conn->input, conn->input_len);
    conn->tcp->turn_left -= conn->input_len / TCP_TURN_INPUT;
    return conn->input_len;
}

/* *is_empty: there was nothing to read. There is room, since it is called after FLOW_GO alone: what
 * was left over then is less than a whole message. */
static enum flow tcp_conn_read_some(struct tcp_conn *conn, bool *is_empty)
{
    size_t len = tcp_conn_take_input(conn);
    ssize_t got;
    do
        got = recv(conn->fd, conn->tcp->input + len, FRAMING_MAX - len, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    *is_empty = got < 0 && errno == EAGAIN;
    if (*is_empty)
        return FLOW_GO;
    if (got <= 0)
        return got == 0 ? FLOW_END : FLOW_LOST;
    conn->tcp->turn_left -= got / TCP_TURN_INPUT;
    return tcp_conn_advance(conn, len + (size_t)got);
}

/* Writable again, or its turn: first the backlog, then the messages that were held up, which are in
 * memory already, so that no event would come for them. */
static enum flow tcp_conn_resume(struct tcp_conn *conn)
{
    if (conn->output) {
        enum flow flow = tcp_conn_drain(conn);
        if (flow != FLOW_GO)
            return flow;
    }
    return tcp_conn_advance(conn, tcp_conn_take_input(conn));
}

static void tcp_conn_apply(struct tcp_conn *conn, enum flow flow)
{
    switch (flow) {
    case FLOW_GO:
        if (conn->tcp->is_stopping) {
            conn->events = 0; /* a backlog that is gone is waited for no more */
            tcp_conn_finish(conn);
        } else if (!tcp_conn_poll_for(conn, UV_READABLE)) {
            tcp_conn_close(conn);
        }
        break;
    case FLOW_PAUSE:
        if (!tcp_conn_poll_for(conn, UV_WRITABLE))
            tcp_conn_close(conn);
        break;
    case FLOW_YIELD:
        tcp_conn_wait_for_turn(conn, false);
        break;
    case FLOW_END:
        tcp_conn_leave(conn);
        break;
    case FLOW_LOST:
        tcp_conn_close(conn);
        break;
    }
}

static void tcp_conn_proceed(struct tcp_conn *conn, bool is_unread)
{
    bool is_empty;
    tcp_conn_apply(conn, is_unread ? tcp_conn_read_some(conn, &is_empty) : tcp_conn_resume(conn));
}

void tcp_conn_turn(struct tcp_conn *conn)
{
    tcp_conn_leave_turns(conn);
    tcp_conn_proceed(conn, conn->is_unread);
}

static void tcp_conn_on_event(uv_poll_t *poll, int status, int events)
{
    struct tcp_conn *conn = poll->data;
    bool is_unread = conn->events == UV_READABLE;
    (void)events;
    if (status < 0)
        tcp_conn_close(conn);
    else if (conn->tcp->turn_left <= 0)
        tcp_conn_wait_for_turn(conn, is_unread);
    else
        tcp_conn_proceed(conn, is_unread);
}

void tcp_conn_finish(struct tcp_conn *conn)
{
    enum flow flow = FLOW_GO;
    bool is_empty = false;
    if (conn->is_waiting || conn->is_leaving || conn->events == UV_WRITABLE)
        return; /* in time: tcp_conn_apply() comes back here */
    conn->tcp->turn_left = TCP_TURN;
    for (int i = 0; i < FINISH_READS && flow == FLOW_GO && !is_empty; i++)
        flow = tcp_conn_read_some(conn, &is_empty);
    tcp_conn_apply(conn, flow == FLOW_GO ? FLOW_END : flow);
}
