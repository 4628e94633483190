/* dns/wire/framing.h - messages in a TCP stream: two octets of length before each (RFC 1035 4.2.2).
 *
 * Messages may be split anywhere and several may come at once (RFC 7766 8). The stream so far is
 * one piece of memory of the caller's; what is no whole message yet stays behind `at`, to be
 * presented again with more behind it. Any length is a message, also one shorter than a DNS header.
 *
 * Threads: pure. */
#ifndef DNS_WIRE_FRAMING_H
#define DNS_WIRE_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMING_PREFIX 2 /* octets of length before a message: rr_put16() writes them */
#define FRAMING_MAX    (FRAMING_PREFIX + 65535) /* of a message with its prefix */

struct framing {
    const uint8_t *bytes; /* borrowed */
    size_t len;
    size_t at; /* where the next message begins; starts at 0, never passes len */
};

/* The next whole message, borrowed from framing->bytes, and step behind it; false: there is none.
 */
bool framing_next(struct framing *framing, const uint8_t **message, size_t *message_len);

#endif
