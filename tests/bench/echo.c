/* tests/bench/echo.c - the floor: what receiving and sending alone costs.
 *
 * Sends every query back with its QR bit set: UDP in batches by recvmmsg and sendmmsg, TCP with one
 * write for all that one read brought. usage: echo PORT (on 127.0.0.1; ends with SIGTERM) */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH       64
#define MESSAGE_MAX 512
#define STREAM_MAX  65536
#define SOCKETS_MAX 1024 /* highest descriptor + 1 */

struct json_split {
    size_t len;
    uint8_t octets[STREAM_MAX];
};

struct echo {
    int udp, listener, epoll;
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_in clients[BATCH];
    uint8_t buffers[BATCH][MESSAGE_MAX];
    struct json_split *streams[SOCKETS_MAX];
};

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(const struct echo *echo, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(echo->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

static int bound_socket(int type, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, size = 4 << 20, fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail("socket");
    return fd;
}

static void echo_open(struct echo *echo, uint16_t port)
{
    echo->epoll = epoll_create1(0);
    echo->udp = bound_socket(SOCK_DGRAM, port);
    echo->listener = bound_socket(SOCK_STREAM, port);
    if (echo->epoll < 0 || listen(echo->listener, SOCKETS_MAX) < 0)
        fail("listen");
    watch(echo, echo->udp);
    watch(echo, echo->listener);
    for (int i = 0; i < BATCH; i++) {
        echo->vectors[i].iov_base = echo->buffers[i];
        echo->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &echo->clients[i], .msg_iov = &echo->vectors[i], .msg_iovlen = 1};
    }
}

static void echo_datagrams(struct echo *echo)
{
    int count = BATCH;

    while (count == BATCH) {
        for (int i = 0; i < BATCH; i++) {
            echo->vectors[i].iov_len = MESSAGE_MAX;
            echo->messages[i].msg_hdr.msg_namelen = sizeof(*echo->clients);
        }
        count = recvmmsg(echo->udp, echo->messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++) {
            echo->vectors[i].iov_len = echo->messages[i].msg_len;
            echo->buffers[i][2] |= 0x80;
        }
        if (count > 0 && sendmmsg(echo->udp, echo->messages, (unsigned)count, 0) < 0)
            fail("sendmmsg");
    }
}

static void echo_accept(struct echo *echo)
{
    int on = 1, fd = accept4(echo->listener, NULL, NULL, 0);

    if (fd < 0 || fd >= SOCKETS_MAX ||
        !(echo->streams[fd] = calloc(1, sizeof(struct json_split))) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        fail("accept");
    watch(echo, fd);
}

static void echo_stream(struct echo *echo, int fd)
{
    struct json_split *stream = echo->streams[fd];
    ssize_t n = recv(fd, stream->octets + stream->len, STREAM_MAX - stream->len, MSG_DONTWAIT);
    size_t whole = 0;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        stream->len += (size_t)n;
    while (n > 0 && whole + 2 <= stream->len) {
        size_t len = (size_t)(stream->octets[whole] << 8 | stream->octets[whole + 1]);
        if (len < 3 || whole + 2 + len > stream->len)
            break;
        stream->octets[whole + 4] |= 0x80;
        whole += 2 + len;
    }
    /* A client that does not read its answers is not worth waiting for. */
    if (n <= 0 || (whole && send(fd, stream->octets, whole, MSG_NOSIGNAL) != (ssize_t)whole)) {
        close(fd);
        free(stream);
        echo->streams[fd] = NULL;
        return;
    }
    memmove(stream->octets, stream->octets + whole, stream->len - whole);
    stream->len -= whole;
}

int main(int argc, char **argv)
{
    static struct echo echo;
    struct epoll_event events[BATCH];
    long port = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

    if (port <= 0 || port > 65535) {
        fputs("usage: echo PORT\n", stderr);
        return 2;
    }
    echo_open(&echo, (uint16_t)port);
    for (;;) {
        int count = epoll_wait(echo.epoll, events, BATCH, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == echo.udp)
                echo_datagrams(&echo);
            else if (events[i].data.fd == echo.listener)
                echo_accept(&echo);
            else
                echo_stream(&echo, events[i].data.fd);
        }
    }
}
