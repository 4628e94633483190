/* registry/base/siphash.h - SipHash-2-4 (Aumasson, Bernstein): a hash that outsiders cannot
 * foresee.
 *
 * Threads: pure. */
#ifndef REGISTRY_BASE_SIPHASH_H
#define REGISTRY_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Of `len` octets, as 8 octets in little-endian order. */
void siphash(const uint8_t key[16], const void *data, size_t len, uint8_t out[8]);

#endif
