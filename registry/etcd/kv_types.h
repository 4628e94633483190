/* registry/etcd/kv_types.h - a key and its value, a range of keys and how it is told, a
 * transaction.
 *
 * Types alone, for kv.h and for the files that it is made of. */
#ifndef REGISTRY_ETCD_KV_TYPES_H
#define REGISTRY_ETCD_KV_TYPES_H

#include "registry/base/status.h"

/* Longer keys and values are told as far as that. By default etcd takes 1.5 MiB. */
#define KV_OCTETS_MAX (15U << 17)

/* One key and what etcd knows about it; octets, not strings. Borrowed for the callback. */
struct kv {
    const char *key;
    size_t key_len;
    const char *value; /* "" without a value */
    size_t value_len;
    int64_t create_revision, mod_revision, version;
    int64_t lease;                 /* 0 = none */
    bool is_key_cut, is_value_cut; /* it is longer than KV_OCTETS_MAX: these are its first octets */
};

#define KV_KEY_MAX 4096 /* octets of a key that is built here */

/* A key, or the end of a range, NUL-terminated for printing. */
struct kv_key {
    char text[KV_KEY_MAX + 1];
    size_t len;
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

/* Whether the key was last changed at this revision; 0: it is not there. */
struct kv_compare {
    const char *key;
    size_t key_len;
    int64_t mod_revision;
};

enum kv_op_kind { KV_PUT, KV_DELETE, KV_GET };
struct kv_op {
    enum kv_op_kind kind;
    const char *key;
    size_t key_len;
    const char *value; /* KV_PUT */
    size_t value_len;
    int64_t lease;  /* KV_PUT; 0 = none */
    bool keys_only; /* KV_GET: without the value */
};

#define KV_TXN_MAX 128 /* compares, and operations of each branch: etcd's default limit */

struct kv_txn {
    const struct kv_compare *compares;
    size_t compare_count;
    const struct kv_op *success, *failure;
    size_t success_count, failure_count;
    bool is_idempotent;  /* may be sent again when the outcome of an attempt is unknown */
    uint32_t timeout_ms; /* 0 = the client's */
};

/* One entry per operation of the branch taken. */
struct kv_op_result {
    uint64_t deleted; /* KV_DELETE */
    bool is_found;    /* KV_GET: the key is there, */
    struct kv kv;     /* and is this */
};

struct kv_txn_result {
    bool succeeded; /* the compares held: `success` was done, else `failure` */
    int64_t revision;
    const struct kv_op_result *ops;
    size_t op_count;
    bool has_stray; /* an earlier attempt was not answered: it may be carried out yet */
};

#endif
