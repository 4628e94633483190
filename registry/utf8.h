/* registry/utf8.h - octets that claim to be UTF-8, and how a person is shown them.
 *
 * What comes from the registry or from a command line may be anything. Whatever prints or judges
 * such text goes through here, so that a stranger's octets can neither forge a line nor drive a
 * terminal.
 *
 * Threads: pure. */
#ifndef REGISTRY_UTF8_H
#define REGISTRY_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_SHOW_MAX 4 /* octets that one octet takes at most when shown: "\xNN" */

/* Read one character of well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong, nothing above
 * U+10FFFF). Returns its octets, 1-4, and the character in *out; 0 when there is none. */
size_t utf8_decode(const char *text, size_t len, uint32_t *out);

/* Whether it is a control character: U+0000-U+001F, U+007F-U+009F. */
bool utf8_is_control(uint32_t character);

/* Copy for a person: the octets of control characters and of what is not UTF-8 become \xNN (lower
 * case). Cut where `size` ends, never inside a character or a \xNN, and NUL-terminated; size >= 1.
 * Returns the octets written without the NUL. len * UTF8_SHOW_MAX + 1 is always enough. */
size_t utf8_show(const char *text, size_t len, char *out, size_t size);

#endif
