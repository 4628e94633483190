/* cli/serve/tree.h - the tree that is served: what etcd reports of the registry goes into the zone.
 *
 * It also knows how good that is, which answers have to say: NOT_READY until the first load is
 * complete, then FRESH; STALE while etcd is away or some keys found no memory; EXPIRED once etcd
 * has been away for --stale-limit. With --state-dir what an earlier process left there is STALE, or
 * EXPIRED, from the start until the first load is complete.
 *
 * A transfer forks and shows the zone of that moment. So none begins between the first change of a
 * group and its commit, nor while keys are missing: the zone is then no state that etcd ever had.
 *
 * Threads: the control thread. */
#ifndef CLI_SERVE_TREE_H
#define CLI_SERVE_TREE_H

#include "contact.h"
#include "saved_tree.h"
#include "shortage.h"

#include "dns/answer/answer_types.h"
#include "registry/key.h"

struct etcd;
struct follow;
struct guard;
struct xfr_child;
struct zone;

struct tree {
    /* The caller's; all must outlive it. */
    const struct log *log;
    const struct key_root *root;
    struct zone *zone; /* before tree_start() */
    struct xfr_child *transfers;
    uint64_t stale_limit_ms, guard_hold_ms;
    unsigned guard_share; /* percent; 0 = no guard */
    bool resolves_hosts;  /* somebody gives the zone their addresses */
    /* Answers are to say this from now on: called on a change only. */
    void (*on_state)(void *arg, enum answer_state state);
    /* Something can be asked for: the first load, or what was saved. */
    void (*on_ready)(void *arg);
    void *arg;
    /* The rest is tree_init()'s. */
    enum answer_state state;
    struct etcd *etcd;
    struct follow *follow; /* NULL before tree_start() */
    struct guard *guard;   /* the same, and without one */
    uv_timer_t stale;
    struct contact contact;
    struct shortage shortage;
    struct saved_tree saved;
    bool is_loaded; /* the last page of a load is in */
    bool is_served; /* and has been published */
    bool is_ready;  /* that, or what was saved, is served */
    bool is_lost;   /* no contact with etcd */
};

/* Once the caller has filled in what is known by then; to be followed by tree_stop(). */
void tree_init(struct tree *tree, uv_loop_t *loop);

/* Open --state-dir, before tree_start() and as the user that this process stays. As
 * state_copy_open(). */
MUST_USE enum status tree_open_saved(struct tree *tree, const char *path, struct detail *why);

/* Serve what was saved, and follow the tree from now on. NO_MEMORY, SYSTEM. Blocks while what was
 * saved is read. */
MUST_USE enum status tree_start(struct tree *tree, struct etcd *etcd, struct detail *why);

/* What is left to be saved is written, for at most 5 s. Nothing is reported any more; the handles
 * close on the loop's next turns. */
void tree_stop(struct tree *tree);

#endif
