/* registry/base/utf8.h - octets that claim to be UTF-8, and how a person is shown them.
 *
 * What comes from the registry or from a command line may be anything. Whatever prints or judges
 * such text goes through here, so that a stranger's octets can neither forge a line nor drive a
 * terminal.
 *
 * Threads: pure. */
#ifndef REGISTRY_BASE_UTF8_H
#define REGISTRY_BASE_UTF8_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_SHOW_MAX 4 /* octets that one octet takes at most when shown: "\xNN", "\u{NNNN}" */

/* Read one character of well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong, nothing above
 * U+10FFFF). Returns its octets, 1-4, and the character in *out; 0 when there is none. */
size_t utf8_decode(const char *text, size_t len, uint32_t *out);

/* Whether it is a control character: U+0000-U+001F, U+007F-U+009F. */
bool utf8_is_control(uint32_t character);

/* Whether the octets are well-formed UTF-8 (RFC 3629) without control characters (below 0x20,
 * 0x7f, U+0080-U+009F). */
bool utf8_is_clean(const char *text, size_t len);

/* Whether it turns the direction of what stands around it, so that a line reads otherwise than it
 * is (U+061C, U+200E-U+200F, U+202A-U+202E, U+2066-U+2069), or ends a line of Unicode's
 * (U+2028-U+2029). */
bool utf8_is_bidirectional(uint32_t character);

/* Copy for a person: the octets of control characters and of what is not UTF-8 become \xNN,
 * bidirectional characters \u{NNNN} (lower case). Cut where `size` ends, never inside a character
 * or what stands for one, and NUL-terminated; size >= 1. Returns the octets written without the
 * NUL. len * UTF8_SHOW_MAX + 1 is always enough. */
size_t utf8_show(const char *text, size_t len, char *out, size_t size);

/* As vsnprintf(), but a text that does not fit loses its middle, for which "..." stands, and not
 * its end: what a stranger can lengthen is quoted in the middle of a sentence, the reason comes
 * last. Not cut inside a character. size >= 16. Only where it does not fit, memory is allocated for
 * the call; where there is none, the end is lost. */
void utf8_format(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Copy text that may be too long: it loses its middle, as above. */
void utf8_shorten(const char *text, size_t len, char *out, size_t size);

#endif
