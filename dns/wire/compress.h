/* dns/wire/compress.h - names in a message, as pointers to where they stand already (RFC
 * 1035 4.1.4).
 *
 * Octet by octet: a name is shown in its own letters, never in another's (RFC 4343 4.1). What is
 * remembered is where the suffixes of names begin, in a small table, so that some are forgotten
 * in long messages.
 *
 * Threads: the caller's memory. */
#ifndef DNS_WIRE_COMPRESS_H
#define DNS_WIRE_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#define COMPRESS_SLOTS 1024

struct compress {
    uint16_t at[COMPRESS_SLOTS]; /* of a suffix in the message; 0 = none */
};

/* Forget everything: another message begins. */
void compress_reset(struct compress *compress);

/* Write a name in wire form, at most 255 octets with its root label, at message + at: at most its
 * own length. Returns where it ends. */
size_t compress_name(struct compress *compress, uint8_t *message, size_t at, const uint8_t *name);

#endif
