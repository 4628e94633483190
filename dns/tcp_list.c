#include "tcp_list.h"

#define SWEEP_MS 250

void tcp_list_sweep(struct tcp *tcp)
{
    if (!uv_is_active((uv_handle_t *)&tcp->sweep))
        uv_timer_start(&tcp->sweep, tcp->on_sweep, SWEEP_MS, SWEEP_MS);
}

void tcp_list_stop_sweep(struct tcp *tcp)
{
    if (tcp->oldest || tcp->is_starved)
        return;
    uv_timer_stop(&tcp->sweep);
    if (tcp->is_stopping && !uv_is_closing((uv_handle_t *)&tcp->sweep))
        uv_close((uv_handle_t *)&tcp->sweep, NULL);
}

static void append(struct tcp *tcp, struct tcp_conn *conn)
{
    conn->got_on_ms = uv_now(tcp->loop);
    conn->older = tcp->newest;
    conn->newer = NULL;
    if (tcp->newest)
        tcp->newest->newer = conn;
    else
        tcp->oldest = conn;
    tcp->newest = conn;
}

static void unlink_conn(struct tcp *tcp, struct tcp_conn *conn)
{
    if (conn->older)
        conn->older->newer = conn->newer;
    else
        tcp->oldest = conn->newer;
    if (conn->newer)
        conn->newer->older = conn->older;
    else
        tcp->newest = conn->older;
}

void tcp_list_join(struct tcp *tcp, struct tcp_conn *conn)
{
    append(tcp, conn);
    tcp_list_sweep(tcp);
}

void tcp_list_got_on(struct tcp *tcp, struct tcp_conn *conn)
{
    if (conn == tcp->newest) {
        conn->got_on_ms = uv_now(tcp->loop);
        return;
    }
    unlink_conn(tcp, conn);
    append(tcp, conn);
}

void tcp_list_give_slot(struct tcp *tcp)
{
    __atomic_fetch_sub(&tcp->share->used, 1, __ATOMIC_RELAXED);
}

void tcp_list_leave(struct tcp *tcp, struct tcp_conn *conn)
{
    unlink_conn(tcp, conn);
    tcp_list_give_slot(tcp);
    tcp_list_stop_sweep(tcp);
}
