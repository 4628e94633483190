/* registry/audit.h - is what has been followed still what the store holds?
 *
 * Watches of etcd 3.4 and 3.5 have lost deletes (etcd#18089, #19179), and a store that was wiped or
 * restored and then written to looks, by its revision alone, like the old one. Three small reads
 * tell: the store is not behind (revision, raft term, cluster ID); the witness, the newest key that
 * was seen, was there at its own revision just as seen; and the count of keys is right at the
 * revision followed.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_AUDIT_H
#define REGISTRY_AUDIT_H

#include "buffer.h"
#include "etcd.h"
#include "kv.h"
#include "member.h"

struct audit;

struct audit_witness {
    struct buffer key; /* empty = there is none */
    int64_t create_revision, mod_revision, version;
};

/* What is believed. */
struct audit_belief {
    const char *prefix, *end; /* the range that is followed */
    size_t prefix_len, end_len;
    int64_t revision; /* up to which it was followed */
    uint64_t raft_term, cluster_id;
    const struct audit_witness *witness;
    bool has_count;
    uint64_t count; /* of keys at `revision` */
};

enum audit_verdict { AUDIT_SAME, AUDIT_DIFFERENT, AUDIT_UNKNOWN };

/* `why` says what differs, or why it could not be found out. */
typedef void audit_done(void *arg, enum audit_verdict verdict, const struct detail *why);

/* Ask this member. All is copied. NULL: no memory; nothing will be called. */
struct audit *audit_start(struct etcd *etcd, struct member *member,
                          const struct audit_belief *belief, audit_done *done, void *arg);

/* Nothing is called any more. Not after `done`. */
void audit_cancel(struct audit *audit);

#endif
