/* registry/state/state_head.h - what the copy on disk says of itself: its format, whose tree it is,
 * and which state.
 *
 * Threads: as state_db.h. */
#ifndef REGISTRY_STATE_STATE_HEAD_H
#define REGISTRY_STATE_STATE_HEAD_H

#include "state_db.h"

/* The key below which everything stands. */
struct state_root {
    const char *text;
    size_t len;
};

/* *out, and db->totals: what the rows have to add up to. NOT_FOUND: nothing has been written yet.
 * REFUSED: it is whole, but of another root or a format that is not ours; *why says which.
 * BAD_REPLY: it is damaged. Else as state_db_status(). */
MUST_USE enum status state_head_read(struct state_db *db, const struct state_root *root,
                                     struct state_mark *out, struct detail *why);

/* Before anything is written: tables where there are none. Does nothing when it was done. */
MUST_USE enum status state_head_prepare(struct state_db *db, struct detail *why);

/* With db->totals, into the transaction that is under way; which this ends. On failure it is still
 * to be rolled back. */
MUST_USE enum status state_head_commit(struct state_db *db, const struct state_root *root,
                                       const struct state_mark *mark, struct detail *why);

#endif
