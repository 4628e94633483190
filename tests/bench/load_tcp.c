#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_SIZE (2 * 65537) /* two of the longest messages */
#define EVENTS_MAX  64
#define PAUSE_NS    60000 /* while all windows are full a server has enough to do */

struct connection {
    int socket;
    size_t len; /* octets in the buffer */
    struct load_window window;
    uint8_t buffer[BUFFER_SIZE];
};

static void connection_open(struct connection *connection, const struct load_options *options)
{
    int on = 1;

    connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->socket < 0 ||
        connect(connection->socket, (const struct sockaddr *)&options->server,
                sizeof(options->server)) < 0 ||
        setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        load_fail("TCP connection");
    window_init(&connection->window, options->window);
}

/* All that the window allows in one write. It blocks at most until the server has read: a window of
 * small queries fits any send buffer. */
static void connection_send(struct connection *connection, struct load_queries *queries,
                            struct load_tally *tally, uint64_t now_ns)
{
    uint8_t out[LOAD_BATCH * 512];
    size_t len = 0, sent = 0;

    for (int i = 0; i < LOAD_BATCH && connection->window.free_count; i++) {
        const struct load_slot *slot = window_take(&connection->window, queries, now_ns);
        memcpy(out + len, slot->query - 2, slot->len + 2U);
        len += slot->len + 2U;
        tally->sent++;
    }
    while (sent < len) {
        ssize_t n = send(connection->socket, out + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            load_fail("send");
        sent += n > 0 ? (size_t)n : 0;
    }
}

static void connection_receive(struct connection *connection, struct load_tally *tally)
{
    uint8_t *buffer = connection->buffer;
    size_t at = 0;
    ssize_t n = recv(connection->socket, buffer + connection->len, BUFFER_SIZE - connection->len,
                     MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        load_fail(n ? "recv" : "the server closed a connection");
    connection->len += (size_t)n;
    while (connection->len - at >= 2) {
        size_t len = (size_t)(buffer[at] << 8 | buffer[at + 1]);
        if (connection->len - at - 2 < len)
            break;
        window_answer(&connection->window, tally, buffer + at + 2, len, 1);
        at += 2 + len;
    }
    memmove(buffer, buffer + at, connection->len - at);
    connection->len -= at;
}

static void connection_watch(struct connection *connection, int epoll)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->socket, &event) < 0)
        load_fail("epoll_ctl");
}

void load_tcp(const struct load_options *options, struct load_queries *queries,
              struct load_tally *tally)
{
    struct connection *connections = calloc(options->connections, sizeof(*connections));
    unsigned batch = options->window < LOAD_BATCH ? 1 : LOAD_BATCH;
    uint64_t now_ns, end_ns;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (!connections || epoll < 0)
        load_fail("connections");
    for (unsigned i = 0; i < options->connections; i++) {
        connection_open(&connections[i], options);
        connection_watch(&connections[i], epoll);
    }
    /* A server that is slow to accept makes connecting take seconds. */
    tally->start_ns = now_ns = load_now_ns();
    end_ns = now_ns + options->duration_ns;
    for (unsigned i = 0; i < options->connections; i++)
        while (connections[i].window.free_count >= batch)
            connection_send(&connections[i], queries, tally, now_ns);
    while (!load_is_over(options, tally, now_ns, end_ns)) {
        struct epoll_event events[EVENTS_MAX];
        /* Asking each connection in turn costs several empty reads for an answer. */
        int count = epoll_wait(epoll, events, EVENTS_MAX, 0);
        now_ns = load_now_ns();
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            connection_receive(connection, tally);
            if (connection->window.free_count >= batch)
                connection_send(connection, queries, tally, now_ns);
        }
        if (count <= 0)
            load_pause(PAUSE_NS);
    }
    for (unsigned i = 0; i < options->connections; i++) {
        window_free(&connections[i].window);
        close(connections[i].socket);
    }
    close(epoll);
    free(connections);
}
