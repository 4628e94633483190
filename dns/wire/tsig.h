/* dns/wire/tsig.h - the TSIG record (RFC 8945), which signs a message at its end.
 *
 * Read from a query strictly, and written without a MAC: we have no keys.
 *
 * Threads: pure. */
#ifndef DNS_WIRE_TSIG_H
#define DNS_WIRE_TSIG_H

#include "query.h"

/* As it stands in a query; borrows from the query's message, but for the key's name. */
struct tsig {
    const uint8_t *algorithm, *time, *id; /* time: and fudge; id: and what follows it */
    size_t key_len, algorithm_len;
    uint8_t key[NAME_MAX_LEN];
};

/* Read query->tsig, which is not NULL. False: it is malformed; *out is undefined then. */
bool tsig_read(const struct query *query, struct tsig *out);

/* Octets of the record that tsig_write() writes. */
size_t tsig_len(const struct tsig *tsig);

/* Write a record without MAC, of the same key, algorithm and time, with this error (RFC 8945 5.3.2)
 * at `at`, where there is room for tsig_len(). */
void tsig_write(const struct tsig *tsig, uint16_t error, uint8_t *at);

#endif
