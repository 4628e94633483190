/* registry/etcd/proof.h - has the watch told everything?
 *
 * A watch can fall silent or lose events without a word: etcd's own have lost deletes (etcd#18089,
 * #19179), a proxy may forget a stream. So a second watch, on another member where there is one,
 * replays what happened since the last revision that was proven; what it tells and the first did
 * not was lost. It has told enough when it has come to a revision that a linearizable read named
 * before, or has been silent for a while since: then the changes of the time cost twice, and the
 * keys nothing.
 *
 * Two watches may lose the same. Where etcd can afford it (`reads_changes`), the keys changed since
 * are read as well; and the number of keys is compared (`counts`), which a lone loss makes differ.
 * Neither is done while the store's revision stands still.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_PROOF_H
#define REGISTRY_ETCD_PROOF_H

#include "gateway_reply.h"
#include "member.h"

struct etcd;
struct proof;
struct watch;

struct proof_plan {
    const char *prefix, *end; /* the range that is followed; must outlive the proof */
    size_t prefix_len, end_len;
    struct member *member; /* to ask; NULL = any */
    int64_t start;         /* where the second watch begins */
    int64_t proven;        /* all up to here is right */
    int64_t counted;       /* the store's revision when the keys were counted last; 0 = never */
    uint64_t cluster_id, raft_term;
    bool replays;       /* make a second watch */
    bool reads_changes; /* read the keys changed since */
    bool counts;        /* compare the number of keys */
    bool can_count;     /* there is one to compare with */
};

enum proof_verdict {
    PROOF_HELD,      /* all up to `revision` has been told */
    PROOF_DIFFERENT, /* it cannot be put right but by a load */
    PROOF_UNKNOWN    /* it could not be found out */
};

struct proof_result {
    enum proof_verdict verdict;
    int64_t revision;
    int64_t replayed; /* of the last event that the second watch told; 0 = none */
    uint64_t raft_term;
    struct watch *watch; /* the second, at its work; the owner's from now on. NULL = none */
    struct member *member;
    bool has_counted;
    uint32_t count_ms; /* that it took */
};

/* Events as in watch.h, of the second watch; what it tells goes on in *result's watch. */
struct proof_events {
    void (*put)(void *arg, const struct kv *kv);
    void (*remove)(void *arg, const char *key, size_t key_len, int64_t revision);
    void (*on_batch_end)(void *arg, int64_t revision);
    /* A key that has changed since the last proof is read. */
    void (*read)(void *arg, const struct kv *kv);
    /* What is held: the number of keys, at which revision. False: cannot be said just now. */
    bool (*count)(void *arg, uint64_t *count, int64_t *revision);
    /* Once and last; the proof is freed. *result and *why are borrowed. */
    void (*done)(void *arg, const struct proof_result *result, enum status status,
                 const struct detail *why);
};

/* *plan is copied, `events` must outlive the proof. NULL: no memory; nothing will be called. */
struct proof *proof_start(struct etcd *etcd, const struct proof_plan *plan,
                          const struct proof_events *events, void *arg);

/* To be called each second or so. May end the proof. */
void proof_tick(struct proof *proof);

/* Whether the second watch stands between the events of one line. */
bool proof_in_batch(const struct proof *proof);

/* Nothing is called any more; the second watch is stopped. Not after `done`. */
void proof_cancel(struct proof *proof);

#endif
