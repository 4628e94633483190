/* registry/base/ascii.h - text without regard to the case of ASCII letters, in any locale.
 *
 * DNS knows no other case (RFC 4343). strncasecmp(3) asks the locale, which in libempusa is the
 * program's: to a Turkish one 'i' and 'I' are two letters.
 *
 * Threads: pure. */
#ifndef REGISTRY_BASE_ASCII_H
#define REGISTRY_BASE_ASCII_H

#include <stdbool.h>
#include <stddef.h>

/* Whether both texts of `len` octets, any, are the same but for the case of ASCII letters. */
bool ascii_equal(const char *a, const char *b, size_t len);

#endif
