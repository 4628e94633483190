/* zones/text.h - records as lines of a master file (RFC 1035 5.1), by ldns.
 *
 * A line is complete in itself: absolute owner, TTL, class, type, data. ldns prints the data, but
 * not the names: in those it leaves octets as they are that other readers refuse (Knot '?' and '~')
 * or take for something else at the beginning of a line ('"', '$', '@').
 *
 * Threads: the caller's memory. */
#ifndef ZONES_TEXT_H
#define ZONES_TEXT_H

#include "dump.h"

#include <stdio.h>

struct text;

/* NO_MEMORY. */
MUST_USE enum status text_new(struct text **out);
void text_free(struct text *text); /* NULL is accepted */

/* The line of a record, with its LF. Borrowed until the next call. BAD_INPUT: ldns does not read
 * the data. NO_MEMORY. */
MUST_USE enum status text_line(struct text *text, const struct dump_record *record,
                               const char **out, size_t *out_len);

/* The whole zone, as dump_zone() gives it. SYSTEM: `file` could not be written (what errno says,
 * or ferror()). BAD_INPUT, NO_MEMORY as above. */
MUST_USE enum status text_zone(const struct zone *zone, FILE *file);

#endif
