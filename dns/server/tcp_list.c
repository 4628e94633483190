#include "tcp_list.h"

#include "tcp_clients.h"

#define SWEEP_MS      250
#define SWEEP_LAST_MS 20 /* when stopping: somebody waits for the end */

void tcp_list_sweep(struct tcp *tcp)
{
    uint64_t ms = tcp->is_stopping ? SWEEP_LAST_MS : SWEEP_MS;
    /* One that runs is left alone: each start would put it off, and with enough of them for ever. */
    if (!uv_is_active((uv_handle_t *)&tcp->sweep) || uv_timer_get_repeat(&tcp->sweep) != ms)
        uv_timer_start(&tcp->sweep, tcp->on_sweep, ms, ms);
}

void tcp_list_stop_sweep(struct tcp *tcp)
{
    if (!TAILQ_EMPTY(&tcp->conns) || tcp->is_starved)
        return;
    uv_timer_stop(&tcp->sweep);
    /* The worker's loop ends with its last open handle. */
    if (tcp->is_stopping && !uv_is_closing((uv_handle_t *)&tcp->sweep))
        uv_close((uv_handle_t *)&tcp->sweep, NULL);
    if (tcp->is_stopping && !uv_is_closing((uv_handle_t *)&tcp->busy))
        uv_close((uv_handle_t *)&tcp->busy, NULL);
}

static void tcp_list_append(struct tcp *tcp, struct tcp_conn *conn)
{
    conn->last_progress_ms = uv_now(tcp->loop);
    TAILQ_INSERT_TAIL(&tcp->conns, conn, by_progress);
}

/* The last step of opening a connection, which may fail: what it did not count it need not take
 * back. */
bool tcp_list_join(struct tcp *tcp, struct tcp_conn *conn)
{
    if (!tcp_clients_join(tcp, conn))
        return false;
    tcp_list_append(tcp, conn);
    tcp->count++;
    tcp_list_sweep(tcp);
    return true;
}

void tcp_list_mark_progress(struct tcp *tcp, struct tcp_conn *conn)
{
    TAILQ_REMOVE(&tcp->conns, conn, by_progress);
    tcp_list_append(tcp, conn);
}

void tcp_list_release_slot(struct tcp *tcp)
{
    /* A number and no more: nothing is published with it that would need an order. */
    __atomic_fetch_sub(&tcp->share->used, 1, __ATOMIC_RELAXED);
}

void tcp_list_leave(struct tcp *tcp, struct tcp_conn *conn)
{
    TAILQ_REMOVE(&tcp->conns, conn, by_progress);
    tcp_clients_leave(tcp, conn);
    tcp->count--;
    tcp->leaving_count -= conn->is_leaving;
    tcp_list_release_slot(tcp);
    tcp_list_stop_sweep(tcp);
}
