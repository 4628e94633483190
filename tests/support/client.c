#include "client.h"

size_t client_query(uint8_t *out, uint16_t id, const char *label, uint16_t type)
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

size_t client_message(uint8_t *out, uint16_t id, const char *label, uint16_t type)
{
    size_t len = client_query(out + 2, id, label, type);
    out[0] = (uint8_t)(len >> 8);
    out[1] = (uint8_t)len;
    return len + 2;
}

uint16_t client_id(const uint8_t *message)
{
    return (uint16_t)(message[0] << 8 | message[1]);
}

struct sockaddr_storage client_address(const char *host, uint16_t port)
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

uint16_t client_port(const struct sockaddr_storage *address)
{
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

socklen_t client_address_len(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

void client_patience(int fd, long ms)
{
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)), 0);
}

int client_connect(const struct sockaddr_storage *address, int type)
{
    int fd = socket(address->ss_family, type, 0);
    assert_true(fd >= 0);
    client_patience(fd, 2000);
    assert_int_equal(connect(fd, (const struct sockaddr *)address, client_address_len(address)), 0);
    return fd;
}

int client_connect_from(const struct sockaddr_storage *address, const char *host)
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

void client_send(int fd, const uint8_t *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

bool client_read(int fd, uint8_t *out, size_t len)
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

size_t client_read_message(int fd, uint8_t *out)
{
    uint8_t prefix[2];
    if (!client_read(fd, prefix, sizeof(prefix)))
        return 0;
    size_t len = (size_t)prefix[0] << 8 | prefix[1];
    return client_read(fd, out, len) ? len : 0;
}

bool client_is_closed(int fd)
{
    uint8_t byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}
