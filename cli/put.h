/* cli/put.h - write one key, once, with or without a TTL.
 *
 * Threads: as session.h. */
#ifndef CLI_PUT_H
#define CLI_PUT_H

#include "session.h"

/* ttl_s 0: without a lease. With one: where the key has this value already under a lease of ours
 * with this TTL, that lease is kept alive; else the key is written under a new one. On failure
 * session->why says why. */
MUST_USE enum status put_key(struct session *session, const struct tree_key *key, const char *value,
                             size_t value_len, uint64_t ttl_s);

#endif
