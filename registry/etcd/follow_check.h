/* registry/etcd/follow_check.h - is it still the store that was followed?
 *
 * A store that was wiped or restored and then written to looks, by its revision alone, like the old
 * one. A few small reads tell: the store is not behind (revision, raft term, cluster ID), and the
 * newest key (the newest event that was told) is in its history just as it was told, value and
 * lease included: who writes in the same order writes at the same revisions. A deleted key was
 * there at the revision before, and is not at its own. What is compacted testifies to nothing,
 * unless the newest key is still there unchanged.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_FOLLOW_CHECK_H
#define REGISTRY_ETCD_FOLLOW_CHECK_H

#include "kv.h"
#include "member.h"
#include "registry/base/buffer.h"

struct follow_check;

struct follow_check_newest_key {
    struct buffer key; /* empty = there is none */
    bool is_deleted;
    int64_t mod_revision;             /* of the event */
    int64_t create_revision, version; /* unless it is deleted */
    uint64_t hash;                    /* the same; of value and lease: follow_check_hash() */
};

/* A store that went back and came as far again may have written the same keys, but not the same. */
uint64_t follow_check_hash(const struct kv *kv);

/* What the store has to look like. */
struct follow_check_expected {
    const char *prefix; /* of the keys that are followed; must outlive the check */
    size_t prefix_len;
    int64_t revision; /* up to which they were followed */
    uint64_t raft_term, cluster_id;
    const struct follow_check_newest_key *newest_key;
};

enum follow_check_result { FOLLOW_CHECK_SAME, FOLLOW_CHECK_DIFFERENT, FOLLOW_CHECK_UNKNOWN };

/* `why` says what differs, or why it could not be found out. */
typedef void follow_check_done(void *arg, enum follow_check_result result,
                               const struct detail *why);

/* Ask this member. All but the prefix is copied. NULL: no memory; nothing will be called. */
struct follow_check *follow_check_start(struct etcd *etcd, struct member *member,
                                        const struct follow_check_expected *expected,
                                        follow_check_done *done, void *arg);

/* Nothing is called any more. Not after `done`. */
void follow_check_cancel(struct follow_check *check);

#endif
