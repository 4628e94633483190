/* cli/serve/saved_tree.h - the tree on disk (--state-dir): from there into the zone at the start,
 * and what etcd reports of it from then on.
 *
 * What is on disk is what the zone holds, each time that this is one state of etcd: a change of the
 * zone is written, and so is a key that a load sweeps; what found no memory is not, nor is anything
 * called a state then.
 *
 * Threads: the control thread. */
#ifndef CLI_SERVE_SAVED_TREE_H
#define CLI_SERVE_SAVED_TREE_H

#include "registry/key.h"
#include "registry/state/state_writer.h"

#include <uv.h>

struct follow;
struct guard;
struct zone;

struct saved_tree {
    /* The caller's; all must outlive it. */
    const struct log *log;
    const struct key_root *root;
    struct zone *const *zone;
    struct follow *const *follow;
    struct guard *const *guard; /* NULL, or *guard is: there is none */
    bool resolves_hosts;        /* whose addresses change the zone, too */
    /* The rest is saved_tree_init()'s. */
    struct kv_key prefix;
    struct state_copy *copy;     /* until the writer has it */
    struct state_writer *writer; /* NULL: nothing is written */
    struct state_mark mark;      /* the last one that was handed over or read, */
    uint32_t serial;             /* and the zone's then */
    int64_t revision;            /* of the zone, when it was last whole */
    uint64_t load_ms, pause_ms;  /* when a load for the writer's sake is next allowed */
    uv_timer_t timer;
    bool is_whole, puts_all;
};

/* Once the caller has filled in its part; to be followed by saved_tree_stop(). */
void saved_tree_init(struct saved_tree *saved, uv_loop_t *loop);

/* Open the directory; once the process is the user that it stays. As state_copy_open(). */
MUST_USE enum status saved_tree_open(struct saved_tree *saved, const char *path,
                                     struct detail *why);

/* Into the zone, which is empty and is shown to nobody yet, and committed there. OK: *age_s is how
 * long ago etcd was heard of. NOT_FOUND: there is nothing to be served; the zone is empty again. */
MUST_USE enum status saved_tree_load(struct saved_tree *saved, uint64_t *age_s);

/* Write from now on, where that is possible. SYSTEM, NO_MEMORY. */
MUST_USE enum status saved_tree_start(struct saved_tree *saved, struct detail *why);

/* What follow reports, after the zone was told. */
void saved_tree_begin_load(struct saved_tree *saved);
void saved_tree_put(struct saved_tree *saved, const struct kv *kv, bool is_change);
void saved_tree_remove(struct saved_tree *saved, const char *key, size_t key_len);
/* As zone_swept, `saved` a saved_tree: a key without the root. */
void saved_tree_on_swept(void *saved, const char *key, size_t key_len);
/* revision 0: the zone is no whole state. */
void saved_tree_commit(struct saved_tree *saved, int64_t revision);

/* Write when etcd was last heard of. */
void saved_tree_note_contact(struct saved_tree *saved);

/* While follow is still there: write what is left, for at most 5 s. The handle closes on the loop's
 * next turns. */
void saved_tree_stop(struct saved_tree *saved);

#endif
