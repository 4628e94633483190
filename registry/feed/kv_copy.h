/* registry/feed/kv_copy.h - copies of keys and their values, by key: what was there, for whoever is
 * told only that something has gone.
 *
 * A hash table with chains: a million copies stay where they are while it grows, and one is taken
 * out without moving others. The hash has a secret, since anybody who registers chooses keys.
 *
 * A load marks what it puts, and what it has not marked is swept. So a load that is broken off and
 * begun anew forgets the marks of the first.
 *
 * Memory: 48 octets, the key, the value, malloc()'s own, and 8 to 16 for the table.
 * Threads: a table belongs to one thread. */
#ifndef REGISTRY_FEED_KV_COPY_H
#define REGISTRY_FEED_KV_COPY_H

#include "registry/etcd/kv_types.h"

struct kv_copy {
    struct kv_copy *next; /* of its chain */
    void *user;           /* of whoever has the table; NULL at first */
    int64_t mod_revision, lease;
    uint32_t hash, key_len, value_len;
    uint8_t mark; /* of the load that put it last */
    bool is_value_cut;
    char octets[]; /* the key, then the value */
};

struct kv_copies {
    struct kv_copy **chains;
    size_t capacity; /* in chains; a power of two, or 0 */
    size_t count;    /* of copies */
    uint8_t seed[16];
    uint8_t mark;
};

/* An empty table. SYSTEM: no randomness. */
MUST_USE enum status kv_copies_init(struct kv_copies *copies);
/* Free all copies, not what their `user` points at. */
void kv_copies_clear(struct kv_copies *copies);

/* The copy of a key, until it is put again or removed. NULL: there is none. */
struct kv_copy *kv_copies_find(const struct kv_copies *copies, const char *key, size_t key_len);

/* Copy, or replace the copy of this key, and mark it. `user` stays as it was. *out (may be NULL) is
 * where it stands from now on. NO_MEMORY: nothing changed. */
MUST_USE enum status kv_copies_put(struct kv_copies *copies, const struct kv *kv,
                                   struct kv_copy **out);
/* Take out a copy of this table, and free it. */
void kv_copies_remove(struct kv_copies *copies, struct kv_copy *copy);

/* Forget all marks. */
void kv_copies_unmark(struct kv_copies *copies);
/* Mark without putting: it is unchanged. */
void kv_copies_mark(const struct kv_copies *copies, struct kv_copy *copy);

/* Call `each` with every copy that is not marked. It may remove that one, and put none. */
typedef void kv_copies_each(void *arg, struct kv_copy *copy);
void kv_copies_sweep(struct kv_copies *copies, kv_copies_each *each, void *arg);

/* What was copied; create_revision and version are 0. Borrowed from the copy. */
struct kv kv_copy_kv(const struct kv_copy *copy);

/* Whether that is what the copy has: revision, lease and value. */
bool kv_copy_is(const struct kv_copy *copy, const struct kv *kv);

#endif
