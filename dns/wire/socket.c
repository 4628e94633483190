#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <uv.h>

#define BUFFER_OCTETS (4 << 20) /* the default loses the first burst of 256 datagrams */
#define BACKLOG       1024
/* The kernel holds twice that for a connection whose client does not read, and no more. Left alone
 * it would grow to 4 MB. */
#define REPLY_OCTETS  65536
#define FAST_OPEN_MAX 256 /* that ask before their handshake is over; more begin as always */
#define PORT_TRIES    32  /* one that is free for TCP may be taken for UDP */

/* For whom an option is set. */
enum {
    FOR_UDP = 1,
    FOR_TCP = 2,
    FOR_UDP_PROBE = 4, /* tolerates nobody beside it */
    FOR_TCP_PROBE = 8,
    FOR_ALL = FOR_UDP | FOR_TCP | FOR_UDP_PROBE | FOR_TCP_PROBE,
    FOR_WILDCARD = 16 /* only on a socket without an address of its own */
};

static const struct option {
    int family; /* AF_UNSPEC = both */
    int level, name, value;
    unsigned purposes;
    bool is_required;
} options[] = {
    /* Else [::] would be the wildcard of IPv4, too, and nobody could listen at IPv6 alone. */
    {AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, 1, FOR_ALL, true},
    {AF_UNSPEC, SOL_SOCKET, SO_REUSEPORT, 1, FOR_UDP | FOR_TCP, true},
    /* Forgives TIME_WAIT, but no listener. */
    {AF_UNSPEC, SOL_SOCKET, SO_REUSEADDR, 1, FOR_TCP | FOR_TCP_PROBE, true},
    /* RFC 2181 4: reply from the address asked. */
    {AF_INET, IPPROTO_IP, IP_PKTINFO, 1, FOR_UDP | FOR_WILDCARD, true},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, FOR_UDP | FOR_WILDCARD, true},
    /* RFC 9715: no fragments, and no trust in ICMP messages, which anybody can forge, about the
     * path's MTU. */
    {AF_INET, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT, FOR_UDP, false},
    {AF_INET6, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT, FOR_UDP, false},
    {AF_UNSPEC, SOL_SOCKET, SO_RCVBUF, BUFFER_OCTETS, FOR_UDP, false},
    {AF_UNSPEC, SOL_SOCKET, SO_SNDBUF, BUFFER_OCTETS, FOR_UDP, false},
    /* Past net.core.rmem_max, where this process may. */
    {AF_UNSPEC, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS, FOR_UDP, false},
    {AF_UNSPEC, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_OCTETS, FOR_UDP, false},
    /* Inherited by the connections. */
    {AF_UNSPEC, SOL_SOCKET, SO_SNDBUF, REPLY_OCTETS, FOR_TCP, false},
    /* Replies leave in as few writes as may be; Nagle's algorithm would hold the second of them
     * back until the client has acknowledged the first. */
    {AF_UNSPEC, IPPROTO_TCP, TCP_NODELAY, 1, FOR_TCP, false},
    {AF_UNSPEC, IPPROTO_TCP, TCP_FASTOPEN, FAST_OPEN_MAX, FOR_TCP, false},
};

static const struct sockaddr_in *socket_in(const struct sockaddr_storage *address)
{
    return (const struct sockaddr_in *)address;
}

static const struct sockaddr_in6 *socket_in6(const struct sockaddr_storage *address)
{
    return (const struct sockaddr_in6 *)address;
}

/* In network order, as it stands in the address: at the same place in both families. */
static uint16_t socket_port_of(const struct sockaddr_storage *address)
{
    return socket_in(address)->sin_port;
}

static socklen_t socket_address_len(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

void socket_text(const struct sockaddr_storage *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    unsigned port = ntohs(socket_port_of(address));
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &socket_in(address)->sin_addr, host, sizeof(host));
        snprintf(out, size, "%s:%u", host, port);
        return;
    }
    inet_ntop(AF_INET6, &socket_in6(address)->sin6_addr, host, sizeof(host));
    if (socket_in6(address)->sin6_scope_id)
        snprintf(out, size, "[%s%%%u]:%u", host, socket_in6(address)->sin6_scope_id, port);
    else
        snprintf(out, size, "[%s]:%u", host, port);
}

bool socket_is_wildcard(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? socket_in(address)->sin_addr.s_addr == htonl(INADDR_ANY)
                                         : IN6_IS_ADDR_UNSPECIFIED(&socket_in6(address)->sin6_addr);
}

bool socket_is_inet(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET || address->ss_family == AF_INET6;
}

bool socket_is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family || socket_port_of(a) != socket_port_of(b))
        return false;
    if (a->ss_family == AF_INET)
        return socket_in(a)->sin_addr.s_addr == socket_in(b)->sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL(&socket_in6(a)->sin6_addr, &socket_in6(b)->sin6_addr) &&
           socket_in6(a)->sin6_scope_id == socket_in6(b)->sin6_scope_id;
}

static enum status socket_fail(const struct sockaddr_storage *address, int error,
                               struct detail *why)
{
    char text[SOCKET_TEXT_MAX];
    socket_text(address, text, sizeof(text));
    bool is_missing = error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
    return detail_set(why, is_missing ? STATUS_NOT_FOUND : STATUS_SYSTEM, "%s: %s", text,
                      uv_strerror(uv_translate_sys_error(error)));
}

static bool socket_is_for(const struct option *option, const struct sockaddr_storage *address,
                          unsigned purpose)
{
    return (option->purposes & purpose) &&
           (option->family == AF_UNSPEC || option->family == address->ss_family) &&
           (!(option->purposes & FOR_WILDCARD) || socket_is_wildcard(address));
}

/* The errno of the first required option that failed, else 0. */
/* What is not required, an older kernel or a container may refuse: answers are right without it,
 * but slower, fragmented or fewer in a burst. */
static int socket_set_options(int fd, const struct sockaddr_storage *address, unsigned purpose)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const struct option *option = &options[i];
        if (!socket_is_for(option, address, purpose))
            continue;
        int failed =
            setsockopt(fd, option->level, option->name, &option->value, sizeof(option->value));
        if (failed && option->is_required)
            return errno;
    }
    return 0;
}

/* A bound socket of a type; an errno below zero when there is none. */
static int socket_open_bound(const struct sockaddr_storage *address, int type, unsigned purpose)
{
    int fd = socket(address->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = socket_set_options(fd, address, purpose);
    if (error == 0 &&
        bind(fd, (const struct sockaddr *)(const void *)address, socket_address_len(address)) != 0)
        error = errno;
    if (error == 0)
        return fd;
    close(fd);
    return -error;
}

/* 0, or the errno with which a bind failed. */
static int socket_probe(const struct sockaddr_storage *address, int type, unsigned purpose)
{
    int fd = socket_open_bound(address, type, purpose);
    if (fd < 0)
        return -fd;
    close(fd);
    return 0;
}

/* Bound with SO_REUSEPORT, the guard lets the workers' sockets stand beside it, while the kernel
 * gives its port to nobody who asks for a free one. */
static int socket_pick_port(struct sockaddr_storage *address, int *guard)
{
    int error = EADDRINUSE;
    for (int i = 0; i < PORT_TRIES && error == EADDRINUSE; i++) {
        struct sockaddr_storage picked = *address;
        socklen_t len = sizeof(picked);
        int fd = socket_open_bound(address, SOCK_STREAM, FOR_TCP);
        if (fd < 0)
            return -fd;
        error = getsockname(fd, (struct sockaddr *)(void *)&picked, &len) == 0 ? 0 : errno;
        if (error == 0)
            error = socket_probe(&picked, SOCK_DGRAM, FOR_UDP_PROBE);
        if (error == 0) {
            *address = picked;
            *guard = fd;
            return 0;
        }
        close(fd);
    }
    return error;
}

enum status socket_claim(struct sockaddr_storage *address, int *guard, struct detail *why)
{
    int error, fd = -1;
    if (socket_port_of(address) == 0) {
        error = socket_pick_port(address, &fd);
    } else {
        error = socket_probe(address, SOCK_DGRAM, FOR_UDP_PROBE);
        if (error == 0)
            error = socket_probe(address, SOCK_STREAM, FOR_TCP_PROBE);
    }
    if (error != 0)
        return socket_fail(address, error, why);
    *guard = fd;
    return STATUS_OK;
}

enum status socket_open(const struct sockaddr_storage *address, int type, int *out,
                        struct detail *why)
{
    bool is_tcp = type == SOCK_STREAM;
    int fd = socket_open_bound(address, type, is_tcp ? FOR_TCP : FOR_UDP);
    if (fd < 0)
        return socket_fail(address, -fd, why);
    if (is_tcp && listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        return socket_fail(address, error, why);
    }
    *out = fd;
    return STATUS_OK;
}

size_t socket_unsent(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    int octets = 0;
    if (ioctl(fd, SIOCOUTQ, &octets) != 0 || octets <= 0)
        return 0;
    /* After a reset the count stays as it was. */
    bool is_gone =
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_CLOSE;
    return is_gone ? 0 : (size_t)octets;
}

void socket_drop(int fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}
