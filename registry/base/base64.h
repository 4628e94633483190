/* registry/base/base64.h - the form of keys and values in etcd's JSON (RFC 4648 section 4).
 *
 * Not OpenSSL's EVP_DecodeBlock: it accepts surrounding blanks, counts the padding as data and
 * cannot decode in place.
 *
 * Threads: pure. */
#ifndef REGISTRY_BASE_BASE64_H
#define REGISTRY_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* How long `len` octets become. */
size_t base64_encoded_len(size_t len);

/* Write base64_encoded_len(len) characters, no NUL. */
void base64_encode(const void *octets, size_t len, char *out);

/* Decode strictly: the standard alphabet, padded to a multiple of four. `out` has room for
 * len / 4 * 3 octets and may be `text` itself. False: not base64; `out` is undefined then. */
bool base64_decode(const char *text, size_t len, char *out, size_t *out_len);

#endif
