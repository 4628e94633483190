/* cli/commands/put.h - change one key, and nothing but what was seen there.
 *
 * An attempt that was given up may still be on its way, in a relay or a queue, and be done long
 * after its repetition. So nothing is ever written or deleted whatever is there: each change is
 * made only where the key still has the revision at which it was read, and what comes late finds
 * another one. What this cannot tell apart is a key that was not there and is not there again: an
 * attempt that was to make it makes it then.
 *
 * Threads: as session.h. */
#ifndef CLI_COMMANDS_PUT_H
#define CLI_COMMANDS_PUT_H

#include "cli/args/session.h"

/* A transaction that does `op` (NULL: nothing) where the key still has this revision (0: is not
 * there), and else says what is there. It may be sent again. Here, for it points into itself. */
struct put_guard {
    struct kv_compare unchanged;
    struct kv_op get;
    struct kv_txn txn;
};
void put_guard(struct put_guard *guard, const struct kv_key *key, int64_t seen_revision,
               const struct kv_op *op);

/* Write `value`, or delete where it is NULL. */
struct put_change {
    const char *value;
    size_t value_len;
    int64_t lease; /* 0 = none */
    bool is_once;  /* whether it was this command that did it must be known */
};

/* Make the change where the key still is as in *seen, which then is as it was found last.
 * OK: done; or, unless is_once, somebody else has done the very same. CONFLICT: it is no longer as
 * seen. NOT_FOUND: the lease is gone. Others: it may have been done. */
MUST_USE enum status put_change(struct session *session, const struct kv_key *key,
                                const struct put_change *change, struct session_kv *seen);

/* ttl_s 0: without a lease. With one: where the key has this value already under a lease of ours
 * with this TTL, that lease is kept alive; else the key is written under a new one. is_entry: the
 * value is a service's. On failure session->why says why. */
MUST_USE enum status put_key(struct session *session, const struct kv_key *key, const char *value,
                             size_t value_len, uint64_t ttl_s, bool is_entry);

/* *was_there: it was, and now is not. */
MUST_USE enum status put_nothing(struct session *session, const struct kv_key *key,
                                 bool *was_there);

#endif
