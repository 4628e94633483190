/* dns/answer/cookie.h - interoperable server cookies, RFC 9018, with SipHash-2-4.
 *
 * A server cookie is 16 octets: version 1, three of zero, the time in seconds, and a hash over the
 * client's cookie, those eight octets and the client's address, keyed with a secret that all
 * servers of a site share.
 *
 * Threads: pure. */
#ifndef DNS_ANSWER_COOKIE_H
#define DNS_ANSWER_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define COOKIE_CLIENT 8
#define COOKIE_SERVER 16

/* Make a server cookie. A client of another family than IPv4 or IPv6, or NULL, counts as no
 * address. */
void cookie_make(const uint8_t secret[16], const uint8_t client[COOKIE_CLIENT],
                 const struct sockaddr *address, uint32_t now_s, uint8_t out[COOKIE_SERVER]);

/* Whether `server` was made with this secret for this client, at most an hour ago and at most five
 * minutes ahead (RFC 9018 4.3). *is_old: over half an hour, to be renewed. */
bool cookie_is_valid(const uint8_t secret[16], const uint8_t client[COOKIE_CLIENT],
                     const uint8_t *server, size_t server_len, const struct sockaddr *address,
                     uint32_t now_s, bool *is_old);

#endif
