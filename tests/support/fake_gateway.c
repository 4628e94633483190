#include "fake_gateway.h"

#include "allocation.h"

#include <arpa/inet.h>

struct fake_connection {
    uv_tcp_t tcp;
    struct fake_gateway *gateway;
    char in[65536];
    size_t len;
    bool is_closing, is_stream;
};

static void fake_gateway_free(uv_handle_t *handle)
{
    free(handle->data);
}

static void fake_gateway_close_connection(struct fake_connection *connection)
{
    if (!connection->is_closing)
        uv_close((uv_handle_t *)&connection->tcp, fake_gateway_free);
    connection->is_closing = true;
}

static void fake_gateway_forget(struct fake_connection *connection)
{
    struct fake_gateway *gateway = connection->gateway;
    for (size_t i = 0; i < gateway->connection_count; i++)
        if (gateway->connections[i] == connection)
            gateway->connections[i] = gateway->connections[--gateway->connection_count];
    fake_gateway_close_connection(connection);
}

static void fake_gateway_written(uv_write_t *write, int status)
{
    (void)status;
    free(write->data);
    free(write);
}

static void fake_gateway_write(struct fake_connection *connection, const char *octets, size_t len)
{
    uv_write_t *write = allocation_exempt(sizeof(*write));
    char *copy = allocation_exempt(len + 1);
    memcpy(copy, octets, len);
    write->data = copy;
    uv_buf_t buffer = uv_buf_init(copy, (unsigned)len);
    uv_write(write, (uv_stream_t *)&connection->tcp, &buffer, 1, fake_gateway_written);
}

static void fake_gateway_shut(uv_shutdown_t *shutdown, int status)
{
    (void)status;
    fake_gateway_forget(shutdown->handle->data);
    free(shutdown);
}

/* Close when all is written. */
static void fake_gateway_finish(struct fake_connection *connection)
{
    uv_shutdown_t *shutdown = allocation_exempt(sizeof(*shutdown));
    if (uv_shutdown(shutdown, (uv_stream_t *)&connection->tcp, fake_gateway_shut) != 0)
        free(shutdown);
}

static void fake_gateway_answer(struct fake_connection *connection, const struct fake_row *row)
{
    size_t len = row->body ? strlen(row->body) : 0;
    char head[200];
    bool is_chunked = row->end == FAKE_CHUNK || row->end == FAKE_EOF;
    if (row->end == FAKE_MUTE)
        return;
    if (row->end == FAKE_CLOSE) {
        fake_gateway_finish(connection);
        return;
    }
    if (row->end == FAKE_RESET) {
        connection->is_closing = uv_tcp_close_reset(&connection->tcp, fake_gateway_free) == 0;
        fake_gateway_forget(connection);
        return;
    }
    if (is_chunked)
        snprintf(head, sizeof(head),
                 "HTTP/1.1 %d Said\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", row->status, len);
    else
        snprintf(head, sizeof(head), "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n\r\n", row->status,
                 row->end == FAKE_CUT ? len + 10 : len);
    connection->is_stream = row->end == FAKE_CHUNK;
    fake_gateway_write(connection, head, strlen(head));
    fake_gateway_write(connection, row->body ? row->body : "", len);
    if (is_chunked)
        fake_gateway_write(connection, "\r\n0\r\n\r\n", row->end == FAKE_EOF ? 7 : 2);
    if (row->end == FAKE_CUT)
        fake_gateway_finish(connection);
}

void fake_gateway_go_on(struct fake_gateway *gateway, const char *chunk)
{
    char head[32];
    int head_len = snprintf(head, sizeof(head), "%zx\r\n", strlen(chunk));
    for (size_t i = 0; i < gateway->connection_count; i++) {
        struct fake_connection *connection = gateway->connections[i];
        if (!connection->is_stream)
            continue;
        fake_gateway_write(connection, head, (size_t)head_len);
        fake_gateway_write(connection, chunk, strlen(chunk));
        fake_gateway_write(connection, "\r\n", 2);
    }
}

static void fake_gateway_request(struct fake_connection *connection, const char *path,
                                 const char *body)
{
    struct fake_gateway *gateway = connection->gateway;
    static const struct fake_row missing = {"", 404, "Not Found", FAKE_KEEP, 0};
    const struct fake_row *row = &missing;
    gateway->asked++;
    for (size_t i = 0; i < gateway->row_count; i++) {
        const struct fake_row *candidate = &gateway->rows[i];
        if (strcmp(candidate->path, path) == 0 &&
            (candidate->uses == 0 || gateway->used[i] < candidate->uses)) {
            gateway->used[i]++;
            row = candidate;
            break;
        }
    }
    struct fake_row answer = *row;
    if (gateway->decide)
        gateway->decide(gateway->arg, path, body, &answer);
    fake_gateway_answer(connection, &answer);
}

/* Answer each request that is complete. */
static void fake_gateway_parse(struct fake_connection *connection)
{
    char *end, *body_len;
    while ((end = strstr(connection->in, "\r\n\r\n"))) {
        size_t head_len = (size_t)(end - connection->in) + 4;
        char path[256] = "";
        size_t len = 0;
        *end = '\0';
        body_len = strstr(connection->in, "Content-Length: ");
        if (body_len)
            len = strtoul(body_len + 16, NULL, 10);
        *end = '\r';
        if (connection->len < head_len + len)
            return;
        sscanf(connection->in, "%*s %255s", path);
        snprintf(connection->gateway->last_head, sizeof(connection->gateway->last_head), "%.*s",
                 (int)head_len, connection->in);
        if (len)
            snprintf(connection->gateway->last_body, sizeof(connection->gateway->last_body), "%.*s",
                     (int)len, connection->in + head_len);
        char *body = connection->in + head_len, behind = body[len];
        body[len] = '\0';
        fake_gateway_request(connection, path, body);
        body[len] = behind;
        connection->len -= head_len + len;
        memmove(connection->in, connection->in + head_len + len, connection->len + 1);
    }
}

static void fake_gateway_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    struct fake_connection *connection = handle->data;
    (void)size;
    *out = uv_buf_init(connection->in + connection->len,
                       (unsigned)(sizeof(connection->in) - 1 - connection->len));
}

static void fake_gateway_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct fake_connection *connection = stream->data;
    bool was_paused = allocation_pause();
    (void)buffer;
    if (len < 0) {
        fake_gateway_forget(connection);
    } else {
        connection->len += (size_t)len;
        connection->in[connection->len] = '\0';
        fake_gateway_parse(connection);
    }
    allocation_resume(was_paused);
}

static void fake_gateway_accept(uv_stream_t *server, int status)
{
    struct fake_gateway *gateway = server->data;
    struct fake_connection *connection = allocation_exempt(sizeof(*connection));
    if (status != 0 || gateway->connection_count == FAKE_CONNECTIONS_MAX)
        abort();
    connection->gateway = gateway;
    uv_tcp_init(server->loop, &connection->tcp);
    connection->tcp.data = connection;
    uv_accept(server, (uv_stream_t *)&connection->tcp);
    gateway->connections[gateway->connection_count++] = connection;
    uv_read_start((uv_stream_t *)&connection->tcp, fake_gateway_alloc, fake_gateway_read);
}

bool fake_gateway_start(struct fake_gateway *gateway, uv_loop_t *loop, const struct fake_row *rows,
                        size_t row_count)
{
    struct sockaddr_in address;
    int len = sizeof(address);
    memset(gateway, 0, sizeof(*gateway));
    gateway->rows = rows;
    gateway->row_count = row_count;
    uv_tcp_init(loop, &gateway->server);
    gateway->server.data = gateway;
    uv_ip4_addr("127.0.0.1", 0, &address);
    if (uv_tcp_bind(&gateway->server, (struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)&gateway->server, FAKE_CONNECTIONS_MAX, fake_gateway_accept) !=
            0 ||
        uv_tcp_getsockname(&gateway->server, (struct sockaddr *)&address, &len) != 0)
        return false;
    snprintf(gateway->endpoint, sizeof(gateway->endpoint), "127.0.0.1:%u",
             (unsigned)ntohs(address.sin_port));
    return true;
}

void fake_gateway_stop(struct fake_gateway *gateway)
{
    while (gateway->connection_count)
        fake_gateway_forget(gateway->connections[0]);
    uv_close((uv_handle_t *)&gateway->server, NULL);
}
