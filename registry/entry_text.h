/* registry/entry_text.h - the JSON of a value, made such that cJSON takes it.
 *
 * cJSON refuses a whole object for a lone surrogate, for a number of 63 characters and for what is
 * nested a thousand deep, and its strings end at a NUL. None of these is a reason to lose an
 * instance.
 *
 * Threads: pure. */
#ifndef REGISTRY_ENTRY_TEXT_H
#define REGISTRY_ENTRY_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define ENTRY_TEXT_MAX 65536 /* octets */

/* Copy a value of at most ENTRY_TEXT_MAX octets to `out`, which has room for as many. A lone
 * surrogate becomes U+FFFD, a long number one of 17 digits, what is nested deeper than any member
 * that is read a 0: of the wrong type as it was. *nul is the octet, one that no UTF-8 has, that
 * stands for U+0000; 0 where there is none.
 * Returns the length; 0: no JSON. What is left to find fault with, cJSON will. */
size_t entry_text_prepare(const char *value, size_t len, char *out, uint8_t *nul);

#endif
