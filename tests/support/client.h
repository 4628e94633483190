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
size_t client_query(uint8_t *out, uint16_t id, const char *label, uint16_t type);

/* The same with its length before it. */
size_t client_message(uint8_t *out, uint16_t id, const char *label, uint16_t type);

/* Of a query or a reply without its length. */
uint16_t client_id(const uint8_t *message);

/* HOST is an IPv4 or an IPv6 address; anything else fails the test. */
struct sockaddr_storage client_address(const char *host, uint16_t port);

/* Of either family: it stands at the same place. */
uint16_t client_port(const struct sockaddr_storage *address);

/* For bind() and connect(). */
socklen_t client_address_len(const struct sockaddr_storage *address);

/* How long the socket waits, for room as for octets. */
void client_patience(int fd, long ms);

/* A connected socket, SOCK_STREAM or SOCK_DGRAM, to be closed. Fails the test where there is none. */
int client_connect(const struct sockaddr_storage *address, int type);

/* The same over TCP from an address of its own, taking little at a time. */
int client_connect_from(const struct sockaddr_storage *address, const char *host);

/* All of it, or the test fails. */
void client_send(int fd, const uint8_t *bytes, size_t len);

/* Whether so many octets came before the end or the time-out. */
bool client_read(int fd, uint8_t *out, size_t len);

/* The length of the next message of a stream, or 0: there is none. `out` has room for 65,535
 * octets. */
size_t client_read_message(int fd, uint8_t *out);

/* Whether the server closes (FIN or RST) within the socket's patience, sending nothing before. */
bool client_is_closed(int fd);

#endif
