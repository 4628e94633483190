/* cli/listing.h - the keys below a prefix, with the seconds that their leases have left.
 *
 * Threads: as session.h. */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include "session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listing_row {
    char *key; /* owned, with the value behind it in the same block; octets */
    const char *value;
    size_t key_len, value_len;
    int64_t lease;  /* 0 = none */
    int64_t left_s; /* of the lease */
    bool is_gone;   /* its lease expired between the two questions */
};

struct listing {
    struct listing_row *rows; /* in key order */
    size_t count, size;
};

/* Read all keys that begin with the prefix. OK: to be given to listing_clear(). Else session->why.
 */
MUST_USE enum status listing_read(struct session *session, const struct tree_key *prefix,
                                  struct listing *out);
void listing_clear(struct listing *listing);

#endif
