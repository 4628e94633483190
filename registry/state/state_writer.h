/* registry/state/state_writer.h - the thread that keeps the copy on disk.
 *
 * Whoever hears of changes copies each into memory of its own, and hands over what has come
 * together whenever that is a state of the store: without a lock, and without waiting for anything.
 * The thread applies it in a transaction, which it ends only there, and at most once a second: so a
 * process that is killed leaves a whole state behind, an earlier one. What cannot be written is
 * tried again, with a pause that grows; one WARNING says so, and an INFO when it is written again.
 *
 * What has been handed over is kept until it is on disk, up to STATE_WRITER_QUEUED_MAX octets.
 * Beyond, and when something was lost that cannot be had again, the copy is given up where it is, a
 * whole state still, until a load brings everything (state_writer_needs_load()).
 *
 * Threads: all of it belongs to the control thread, but for state_writer_counts(): any. NULL is no
 * writer: it wants nothing, and nothing is done. */
#ifndef REGISTRY_STATE_STATE_WRITER_H
#define REGISTRY_STATE_STATE_WRITER_H

#include "state_copy.h"

#define STATE_WRITER_QUEUED_MAX ((uint64_t)256 << 20)

struct state_writer;

/* `copy` is open, was loaded if it is to be, and is writable; with OK it is the writer's, else
 * still the caller's. What the caller knows must be what it loaded, or, where that is not
 * state_copy_is_loaded(), nothing is written before a load. SYSTEM, NO_MEMORY. */
MUST_USE enum status state_writer_start(struct state_copy *copy, const struct log *log,
                                        struct state_writer **out, struct detail *why);

/* Write what has been committed, for at most wait_ms, and end. After a time-out the thread is left
 * to itself, with its memory. */
void state_writer_stop(struct state_writer *writer, uint32_t wait_ms);

/* A key has this value; a key is gone. To be said of what is a change for the caller. */
void state_writer_put(struct state_writer *writer, const struct kv *kv);
void state_writer_remove(struct state_writer *writer, const char *key, size_t key_len);

/* A load begins. True: put every key of it, also what is no change: they will be all that the copy
 * holds. */
bool state_writer_load_begin(struct state_writer *writer);

/* What came so far is this state of the store; NULL: a part of one, as a slice of a load. Also for
 * what has no changes: a newer contact, or another serial. */
void state_writer_commit(struct state_writer *writer, const struct state_mark *mark);

/* Whether the copy is given up, and a load would bring it back. Not during a load. */
bool state_writer_needs_load(const struct state_writer *writer);

struct state_writer_counts {
    /* Since the copy was written; of one that an earlier process left, since its last contact with etcd;
     * without one, since the start. UINT64_MAX: there is no writer. */
    uint64_t age_ms;
    uint64_t bytes;    /* on the disk */
    uint64_t failures; /* writes that failed */
};

void state_writer_counts(const struct state_writer *writer, struct state_writer_counts *out);

#endif
