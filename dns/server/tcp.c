#include "tcp.h"

#include "batch.h"
#include "tcp_clients.h"
#include "tcp_conn.h"
#include "tcp_list.h"

#include <errno.h>
#include <sys/param.h>
#include <unistd.h>

#define STOP_MS      1000
#define ACCEPT_BATCH 16   /* accepted at once, before the others get their turn */
#define ACCEPT_LAST  1024 /* accepted when stopping */

/* To make room for a newcomer, so many of the oldest are looked at for an idle one; of half of them
 * at most, as the newest may be about to ask. */
#define LOOK_MAX 64
/* When all slots are in use: the time for a message that has begun, and for one that is at
 * something before another of its own network takes its place. */
#define MESSAGE_MS 1000

void tcp_add(struct tcp *tcp, int fd)
{
    struct tcp_listener *listener = &tcp->listeners[tcp->listener_count++];
    listener->tcp = tcp;
    listener->fd = fd;
}

/* The time in which a connection must make progress: all of it while half of the slots are free,
 * then falling to a tenth; none when stopping has taken too long. */
static uint64_t tcp_patience_ms(const struct tcp *tcp)
{
    if (tcp->is_stopping && uv_now(tcp->loop) >= tcp->stop_ms)
        return 0;
    uint64_t limit = tcp->share->limit;
    uint64_t used = __atomic_load_n(&tcp->share->used, __ATOMIC_RELAXED);
    uint64_t half = limit / 2, min_ms = tcp->idle_ms / 10;
    if (used <= half)
        return tcp->idle_ms;
    uint64_t left = used < limit ? tcp->idle_ms * (limit - used) / (limit - half) : 0;
    return MAX(left, min_ms);
}

static void tcp_on_listener(uv_poll_t *poll, int status, int events);

static void tcp_wake_listeners(struct tcp *tcp)
{
    tcp->is_starved = false;
    for (unsigned i = 0; i < tcp->listener_count; i++)
        if (uv_poll_start(&tcp->listeners[i].poll, UV_READABLE, tcp_on_listener) != 0)
            tcp->is_starved = true;
}

static unsigned tcp_used_slots(const struct tcp *tcp)
{
    return __atomic_load_n(&tcp->share->used, __ATOMIC_RELAXED);
}

/* This worker's part of the slots, at least one. */
static unsigned tcp_fair_count(const struct tcp *tcp)
{
    return (tcp->share->limit + tcp->share->workers - 1) / tcp->share->workers;
}

/* The same for a message that has begun. */
static uint64_t tcp_message_patience_ms(const struct tcp *tcp)
{
    uint64_t patience = tcp_patience_ms(tcp);
    bool is_full = tcp_used_slots(tcp) >= tcp->share->limit;
    return is_full && patience > MESSAGE_MS ? MESSAGE_MS : patience;
}

/* In the order of their last progress: behind the first that still has time, all have. One that has
 * lost a turn of ours is moved to the end, so its successor is looked up first. */
static void tcp_close_expired(struct tcp *tcp)
{
    uint64_t now = uv_now(tcp->loop);
    struct tcp_conn *conn = TAILQ_FIRST(&tcp->conns), *newer;
    for (; conn && now - conn->last_progress_ms >= tcp_message_patience_ms(tcp); conn = newer) {
        newer = TAILQ_NEXT(conn, by_progress);
        bool is_begun = conn->events == UV_READABLE && !tcp_conn_is_idle(conn);
        if (conn->is_waiting && tcp_patience_ms(tcp) > 0) { /* not the client's fault */
            tcp_list_mark_progress(tcp, conn);
        } else if (is_begun || now - conn->last_progress_ms >= tcp_patience_ms(tcp)) {
            counters_bump(&tcp->batch->counters->tcp_closed_idle);
            tcp_conn_close(conn);
        }
    }
}

static void tcp_close_leaving(struct tcp *tcp)
{
    struct tcp_conn *conn = TAILQ_FIRST(&tcp->conns), *newer;
    for (; conn && tcp->leaving_count > 0; conn = newer) {
        newer = TAILQ_NEXT(conn, by_progress);
        if (conn->is_leaving && socket_unsent(conn->fd) == 0)
            tcp_conn_close(conn);
    }
}

/* Of the clients that hold as many as `top`, the connection that made progress longest ago, an idle
 * one if there is one. */
static struct tcp_conn *tcp_pick(const struct tcp *tcp, const struct tcp_client *top)
{
    struct tcp_conn *busy = NULL, *conn = TAILQ_FIRST(&tcp->conns);
    unsigned half = (tcp->count + 1) / 2, looks = half < LOOK_MAX ? half : LOOK_MAX;
    for (unsigned i = 0; i < looks; i++, conn = TAILQ_NEXT(conn, by_progress)) {
        if (conn->client->count != top->count)
            continue;
        if (tcp_conn_is_idle(conn))
            return conn;
        busy = busy ? busy : conn;
    }
    return busy ? busy : TAILQ_FIRST(&top->conns);
}

/* Close a connection of one of those who hold most, for somebody who holds `count`. One who holds
 * as many himself only gets what has been idle or slow. */
static bool tcp_evict(struct tcp *tcp, unsigned count)
{
    const struct tcp_client *top = tcp_clients_top(tcp);
    if (!top)
        return false;
    struct tcp_conn *conn = tcp_pick(tcp, top);
    if (count >= top->count && !tcp_conn_is_idle(conn) &&
        uv_now(tcp->loop) - conn->last_progress_ms < MESSAGE_MS)
        return false;
    counters_bump(&tcp->batch->counters->tcp_closed_full);
    tcp_conn_close(conn);
    return true;
}

static void tcp_on_sweep(uv_timer_t *timer)
{
    struct tcp *tcp = timer->data;
    tcp_close_leaving(tcp);
    tcp_close_expired(tcp);
    while (tcp_used_slots(tcp) > tcp->share->limit && tcp->count > tcp_fair_count(tcp) &&
           tcp_evict(tcp, 0))
        ;
    if (tcp->is_starved && !tcp->is_stopping)
        tcp_wake_listeners(tcp);
    tcp_list_stop_sweep(tcp);
}

/* Others may have all slots: then a worker takes its part all the same, and they give up what is
 * too many at their next sweep. Counted first and looked at then: two workers that looked first
 * could both take the last one. */
static bool tcp_take_slot(struct tcp *tcp, const union socket_address *client)
{
    unsigned before = __atomic_fetch_add(&tcp->share->used, 1, __ATOMIC_RELAXED);
    if (before < tcp->share->limit || tcp->count < tcp_fair_count(tcp) ||
        tcp_evict(tcp, tcp_clients_count(tcp, client)))
        return true;
    tcp_list_release_slot(tcp);
    counters_bump(&tcp->batch->counters->tcp_closed_full);
    return false;
}

/* Out of file descriptors or memory, the listeners would be readable for ever. */
static void tcp_starve(struct tcp *tcp)
{
    if (tcp->is_stopping)
        return;
    for (unsigned i = 0; i < tcp->listener_count; i++)
        uv_poll_stop(&tcp->listeners[i].poll);
    tcp->is_starved = true;
    tcp_list_sweep(tcp);
}

/* Whether accept() is worth another try. */
static bool tcp_accept_failed(struct tcp *tcp, int error)
{
    switch (error) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        if (tcp_evict(tcp, 1)) /* who comes is not known: as if it held one */
            return true;
        tcp_starve(tcp);
        return false;
    default: /* accept(2): an error of the connection itself, which is gone */
        return true;
    }
}

static bool tcp_accept_one(struct tcp_listener *listener)
{
    struct tcp *tcp = listener->tcp;
    union socket_address client;
    socklen_t len = sizeof(client);
    int fd = accept4(listener->fd, &client.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return tcp_accept_failed(tcp, errno);
    counters_bump(&tcp->batch->counters->tcp_accepted);
    if (!tcp_take_slot(tcp, &client)) {
        close(fd);
    } else if (!tcp_conn_open(tcp, fd, &client)) {
        tcp_list_release_slot(tcp);
        close(fd);
    }
    return true;
}

static void tcp_on_listener(uv_poll_t *poll, int status, int events)
{
    struct tcp_listener *listener = poll->data;
    (void)events;
    if (status < 0) { /* libuv has stopped polling it */
        tcp_starve(listener->tcp);
        return;
    }
    for (int i = 0; i < ACCEPT_BATCH && tcp_accept_one(listener); i++)
        ;
}

enum status tcp_start(struct tcp *tcp, uv_loop_t *loop, struct batch *batch,
                      struct tcp_share *share, unsigned idle_ms)
{
    tcp->loop = loop;
    tcp->batch = batch;
    tcp->share = share;
    tcp->idle_ms = idle_ms;
    uv_timer_init(loop, &tcp->sweep);
    tcp->sweep.data = tcp;
    tcp->on_sweep = tcp_on_sweep;
    uv_idle_init(loop, &tcp->busy);
    tcp->busy.data = tcp;
    tcp->turn_left = TCP_TURN;
    if (tcp_clients_init(tcp) != STATUS_OK)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < tcp->listener_count; i++) {
        struct tcp_listener *listener = &tcp->listeners[i];
        if (uv_poll_init(loop, &listener->poll, listener->fd) != 0)
            return STATUS_SYSTEM;
        listener->poll.data = listener;
        if (uv_poll_start(&listener->poll, UV_READABLE, tcp_on_listener) != 0)
            return STATUS_SYSTEM;
    }
    return STATUS_OK;
}

void tcp_take_turns(struct tcp *tcp)
{
    while (!TAILQ_EMPTY(&tcp->turns) && tcp->turn_left > 0)
        tcp_conn_turn(TAILQ_FIRST(&tcp->turns));
}

static void tcp_close_listeners(struct tcp *tcp)
{
    for (unsigned i = 0; i < tcp->listener_count; i++) {
        struct tcp_listener *listener = &tcp->listeners[i];
        if (listener->poll.data)
            uv_close((uv_handle_t *)&listener->poll, NULL);
        close(listener->fd);
    }
    tcp->listener_count = 0;
    tcp->is_starved = false;
}

void tcp_stop(struct tcp *tcp)
{
    tcp->is_stopping = true;
    tcp->stop_ms = uv_now(tcp->loop) + STOP_MS;
    /* To their clients those in the backlog are open, and may have asked: closing the listener would
     * reset them. */
    for (unsigned i = 0; i < tcp->listener_count; i++)
        for (int j = 0; j < ACCEPT_LAST && tcp_accept_one(&tcp->listeners[i]); j++)
            ;
    tcp_close_listeners(tcp);
    struct tcp_conn *conn = TAILQ_FIRST(&tcp->conns), *newer;
    for (; conn; conn = newer) {
        newer = TAILQ_NEXT(conn, by_progress);
        tcp_conn_finish(conn);
    }
    if (!TAILQ_EMPTY(&tcp->conns))
        tcp_list_sweep(tcp); /* more often */
    tcp_list_stop_sweep(tcp);
}

void tcp_close(struct tcp *tcp)
{
    tcp_close_listeners(tcp);
    if (!tcp->loop)
        return;
    tcp->is_stopping = true;
    while (!TAILQ_EMPTY(&tcp->conns))
        tcp_conn_close(TAILQ_FIRST(&tcp->conns));
    tcp_list_stop_sweep(tcp);
    tcp_clients_clear(tcp);
}
