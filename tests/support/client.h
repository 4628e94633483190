/* tests/support/client.h - queries and blocking client sockets for the tests of dns/'s sockets.
 *
 * Every wait is bounded by two seconds: a reply that does not come fails a test instead of hanging
 * it. */
#ifndef SUPPORT_CLIENT_H
#define SUPPORT_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h> /* needs some of those above */

#define CLIENT_TYPE_A 1

/* A query for label.test; its length. `out` has room for 12 + 64 + 10 octets. */
static inline size_t client_query(uint8_t *out, uint16_t id, const char *label, uint16_t type)
{
    size_t label_len = strlen(label), at = 12;
    memset(out, 0, 12);
    out[0] = (uint8_t)(id >> 8);
    out[1] = (uint8_t)id;
    out[5] = 1; /* QDCOUNT */
    out[at++] = (uint8_t)label_len;
    memcpy(out + at, label, label_len);
    at += label_len;
    memcpy(out + at, "\4test", 6);
    at += 6;
    out[at++] = (uint8_t)(type >> 8);
    out[at++] = (uint8_t)type;
    out[at++] = 0;
    out[at++] = 1; /* IN */
    return at;
}

/* The same with its length before it. */
static inline size_t client_message(uint8_t *out, uint16_t id, const char *label, uint16_t type)
{
    size_t len = client_query(out + 2, id, label, type);
    out[0] = (uint8_t)(len >> 8);
    out[1] = (uint8_t)len;
    return len + 2;
}

static inline uint16_t client_id(const uint8_t *message)
{
    return (uint16_t)(message[0] << 8 | message[1]);
}

static inline struct sockaddr_storage client_address(const char *host, uint16_t port)
{
    struct sockaddr_storage out;
    struct sockaddr_in *in = (struct sockaddr_in *)&out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out;
    memset(&out, 0, sizeof(out));
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
    } else {
        assert_int_equal(inet_pton(AF_INET6, host, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
    }
    return out;
}

static inline uint16_t client_port(const struct sockaddr_storage *address)
{
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static inline socklen_t client_address_len(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static inline void client_patience(int fd, long ms)
{
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)), 0);
}

/* A connected socket. */
static inline int client_connect(const struct sockaddr_storage *address, int type)
{
    int fd = socket(address->ss_family, type, 0);
    assert_true(fd >= 0);
    client_patience(fd, 2000);
    assert_int_equal(connect(fd, (const struct sockaddr *)address, client_address_len(address)), 0);
    return fd;
}

/* The same from an address of its own, taking little at a time. */
static inline int client_connect_from(const struct sockaddr_storage *address, const char *host)
{
    struct sockaddr_storage own = client_address(host, 0);
    int fd = socket(address->ss_family, SOCK_STREAM, 0), octets = 4096;
    assert_true(fd >= 0);
    client_patience(fd, 2000);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&own, client_address_len(&own)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)address, client_address_len(address)), 0);
    return fd;
}

static inline void client_send(int fd, const uint8_t *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

/* Whether so many octets came before the end or the time-out. */
static inline bool client_read(int fd, uint8_t *out, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t got = recv(fd, out + at, len - at, 0);
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

/* The length of the next message of a stream, or 0: there is none. `out` has room for 65,535
 * octets. */
static inline size_t client_read_message(int fd, uint8_t *out)
{
    uint8_t prefix[2];
    if (!client_read(fd, prefix, sizeof(prefix)))
        return 0;
    size_t len = (size_t)prefix[0] << 8 | prefix[1];
    return client_read(fd, out, len) ? len : 0;
}

/* Whether the server closes (FIN or RST) within the socket's patience, sending nothing before. */
static inline bool client_is_closed(int fd)
{
    uint8_t byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

#endif
