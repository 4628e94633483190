/* dns/wire/compress.h - name compression: a suffix that the message holds already becomes a pointer
 * to it (RFC 1035 4.1.4).
 *
 * Suffixes are compared octet by octet, so that a name keeps its own case (RFC 4343 4.1). A small
 * table holds where suffixes begin; in a long message new ones displace old ones, which costs
 * octets, never correctness.
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
