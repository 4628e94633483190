/* registry/state/state_rows.h - the keys of the copy on disk.
 *
 * Threads: as state_db.h. */
#ifndef REGISTRY_STATE_STATE_ROWS_H
#define REGISTRY_STATE_STATE_ROWS_H

#include "state_db.h"

/* Every key, in key order; only what has its right checksum is given. OK: they are all that were
 * written, and no other: not before may anything be made of them. BAD_REPLY: they are not.
 * CANCELLED: `each` returned false. Of a kv, create_revision and version are 0. Else as
 * state_db_status(). */
MUST_USE enum status state_rows_read(struct state_db *db, kv_each *each, void *arg,
                                     struct detail *why);

/* Into the transaction that is under way. As state_db_status(). */
MUST_USE enum status state_rows_put(struct state_db *db, const struct kv *kv, struct detail *why);
/* A key that is not there is no error. */
MUST_USE enum status state_rows_remove(struct state_db *db, const char *key, size_t key_len,
                                       struct detail *why);
MUST_USE enum status state_rows_clear(struct state_db *db, struct detail *why);

#endif
