/* registry/state/state_copy.h - the copy on disk of everything below a key of etcd: opened, and
 * read once.
 *
 * What it gives is right or nothing: it is checked against checksums (state_sum.h) of each row, of
 * all rows together, and of what the copy says of itself. A copy that fails one of them is put
 * aside as registry.db.damaged, an older one of that name being replaced, and a new one is begun.
 * One of another root or of a format that is not known is left alone. Where nothing can be written,
 * what is there is read all the same.
 *
 * It is a copy of what etcd has: whatever becomes of it costs the next start time, and nothing
 * else.
 *
 * Threads: one at a time; the writer's once that has been started. */
#ifndef REGISTRY_STATE_STATE_COPY_H
#define REGISTRY_STATE_STATE_COPY_H

#include "registry/base/log.h"
#include "state_types.h"

struct state_copy;

/* Of all keys that begin with `root`, in the directory `path` (state_dir.h). `log` is copied. What
 * is said there is one line, a WARNING, wherever no copy can be kept, or one that is there is not
 * used.
 *
 * BAD_INPUT: the directory is not ours alone. CONFLICT: another process has the copy. SYSTEM: there
 * is no such directory. NO_MEMORY. *why says the reason, without the path. */
MUST_USE enum status state_copy_open(const char *path, const char *root, size_t root_len,
                                     const struct log *log, struct state_copy **out,
                                     struct detail *why);
/* NULL is accepted. */
void state_copy_close(struct state_copy *copy);

/* Give every key, in key order, and then *out. Only with OK are they what was written: else
 * whatever was given is to be forgotten. NOT_FOUND: there is no copy, or none that may be used.
 * CANCELLED: `each` returned false. */
MUST_USE enum status state_copy_load(struct state_copy *copy, kv_each *each, void *arg,
                                     struct state_mark *out);

/* What that gave; only then. */
const struct state_mark *state_copy_mark(const struct state_copy *copy);

/* Whether a copy can be kept. */
bool state_copy_is_writable(const struct state_copy *copy);

/* For the writer. */

struct state_db;
struct state_root;

/* state_copy_load() said OK: what is written next adds to that. */
bool state_copy_is_loaded(const struct state_copy *copy);
/* NULL: there is none at the moment (state_copy_renew()). */
struct state_db *state_copy_db(const struct state_copy *copy);
const struct state_root *state_copy_root(const struct state_copy *copy);
const char *state_copy_path(const struct state_copy *copy);
/* Begin a new copy in place of the one that is there, which is put aside if it is damaged. As
 * state_db_open(). */
MUST_USE enum status state_copy_renew(struct state_copy *copy, bool is_damaged, struct detail *why);

#endif
