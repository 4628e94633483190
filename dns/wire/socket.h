/* dns/wire/socket.h - the sockets that a server listens on.
 *
 * Each worker has its own socket for an address (SO_REUSEPORT; the kernel spreads the clients),
 * which would let two servers share a port unnoticed. So an address is claimed first, by a bind
 * that nobody else's may stand beside.
 *
 * Failures are STATUS_SYSTEM with "127.0.0.1:5300: address already in use", or STATUS_NOT_FOUND
 * where the machine lacks the address or its family. Sockets are non-blocking and close-on-exec.
 *
 * Threads: pure but for the system calls; nothing blocks. */
#ifndef DNS_WIRE_SOCKET_H
#define DNS_WIRE_SOCKET_H

#include "registry/base/status.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define SOCKET_TEXT_MAX 80

/* A client's address, in no more memory than it needs. */
union socket_address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* "127.0.0.1:5300", "[::1]:5300", "[fe80::1%2]:53". Cut to fit. */
void socket_text(const struct sockaddr_storage *address, char *out, size_t size);

bool socket_is_wildcard(const struct sockaddr_storage *address);
/* AF_INET or AF_INET6. */
bool socket_is_inet(const struct sockaddr_storage *address);
bool socket_is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* See that nobody holds the address for UDP or TCP. Port 0 is replaced by a port free for both;
 * *guard is then a socket that keeps it from others until it is closed, else -1. */
MUST_USE enum status socket_claim(struct sockaddr_storage *address, int *guard, struct detail *why);

/* A worker's own socket on a claimed address: SOCK_DGRAM, or SOCK_STREAM and listening. */
MUST_USE enum status socket_open(const struct sockaddr_storage *address, int type, int *out,
                                 struct detail *why);

/* Octets that the client of a connection has not taken yet; 0 when it is gone. */
size_t socket_unsent(int fd);
/* Let the last close(2) of a connection reset it and drop what its client has not taken, which the
 * kernel would keep for minutes else, for a client that does not read. */
void socket_drop(int fd);

#endif
