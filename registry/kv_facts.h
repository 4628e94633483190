/* registry/kv_facts.h - a key and its value, a range of keys, and how it is told.
 *
 * Types alone, for kv.h and for the files that it is made of. */
#ifndef REGISTRY_KV_FACTS_H
#define REGISTRY_KV_FACTS_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One key and what etcd knows about it; octets, not strings. Borrowed for the callback. */
struct kv {
    const char *key;
    size_t key_len;
    const char *value; /* "" without a value */
    size_t value_len;
    int64_t create_revision, mod_revision, version;
    int64_t lease; /* 0 = none */
};

struct kv_range {
    const char *key;
    size_t key_len;
    const char *end; /* end of the range, exclusive; NULL = this key alone */
    size_t end_len;
    int64_t revision; /* 0 = the newest; all pages are read at one revision */
    /* Only keys changed at or after it; 0 = all. Costs etcd as much as all, so not for many keys.
     */
    int64_t min_mod_revision;
    bool keys_only, count_only;
    bool serializable;   /* a local, possibly stale read */
    uint32_t page;       /* keys; 0 = the default: 50,000, then up to 400,000; less on 3.3 */
    uint32_t limit;      /* end after so many keys; 0 = give all of them */
    uint32_t timeout_ms; /* for the whole range without progress; 0 = the client's */
};

struct kv_range_result {
    int64_t revision; /* the store's revision that was read */
    uint64_t count;   /* keys in the range, beyond the limit, too */
    uint64_t raft_term, cluster_id, member_id;
};

/* The next key of a range, in key order; false stops the range. */
typedef bool kv_each(void *arg, const struct kv *kv);

/* The end of a range: once and last. *result is borrowed and never NULL; filled in as far as the
 * range came. */
typedef void kv_range_done(void *arg, enum status status, const struct kv_range_result *result,
                           const struct detail *why);

#endif
