/* zones/name/txt.h - the data of TXT records: strings of up to 255 octets, each behind its length
 * octet.
 *
 * Everything is written into the caller's buffer. A function that returns a size returns the octets
 * written, which are at least 1 because TXT data is never empty (RFC 6763 6.1: nothing to say is
 * one empty string), and 0 when `size` does not suffice; what is in the buffer then is nobody's.
 *
 * Threads: pure. Nothing allocates. */
#ifndef ZONES_NAME_TXT_H
#define ZONES_NAME_TXT_H

#include "registry/entry.h"

#define TXT_STRING_MAX 255
#define TXT_SWITCH_MAX 16384 /* octets of a switch's value; a longer one is not published */

/* Sizes that always suffice: for an instance, for a switch. */
#define TXT_INSTANCE_SIZE_MAX (ENTRY_TXT_SIZE_MAX + 1 + TXT_STRING_MAX)
#define TXT_SWITCH_SIZE_MAX                                                                        \
    (TXT_SWITCH_MAX + (TXT_SWITCH_MAX + TXT_STRING_MAX - 1) / TXT_STRING_MAX)

/* Where type=<base> stands in the data of an instance: it is no pair of the entry's own. */
struct txt_place {
    size_t at;
    size_t len; /* with its length octet; 0 = there is none */
};

/* Of an instance: its pairs, sorted as entry_sort() leaves them, and, where `base` is not NULL,
 * "type=<base>" in its sorted place. That one replaces a pair with the key `type` in any case: a
 * key stands once (RFC 6763 6.4), and a reader must be able to trust it. `place` may be NULL. */
size_t txt_instance(const struct entry_string *pairs, size_t count, const char *base,
                    size_t base_len, uint8_t *out, size_t size, struct txt_place *place);

/* Of a switch: its value in strings of 255 octets. TOO_LARGE: over TXT_SWITCH_MAX, or `size` does
 * not suffice. */
MUST_USE enum status txt_switch(const char *value, size_t len, uint8_t *out, size_t size,
                                size_t *out_len);

#endif
