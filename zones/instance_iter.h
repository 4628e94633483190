/* zones/instance_iter.h - the instances behind a name, one after the other.
 *
 * They come from one or two sets (a host view joins what _tcp and _udp have under the same labels)
 * or from one or two names that several keys share. Answers begin at another member with each
 * rotation, so that clients share the load, and look at a bounded number, since a type may have a
 * million, and each of its names many keys; whoever shows a zone whole takes them all, in order.
 *
 * Inline and without a callback: an answer that calls a function for each record is 2 % slower.
 *
 * Threads: readers (zones/store/rcu.h), or the control thread. */
#ifndef ZONES_INSTANCE_ITER_H
#define ZONES_INSTANCE_ITER_H

#include "node.h"

#define INSTANCE_ITER_ALL UINT32_MAX

/* Sets or names; the rest NULL. */
struct instance_source {
    const struct member_version *sets[2];
    const struct instance *heads[2]; /* the first instance of a name */
};

struct instance_iter {
    const struct member_version *sets[2];
    uint32_t first, total;            /* members of the first set, of both */
    uint32_t names;                   /* of members: this many are visited at most */
    uint32_t visits, max_visits;      /* of instances: of so many, as far as is known; at most */
    uint32_t position, left;          /* the next member; members still to visit */
    const struct instance *same_name; /* the rest of a name's instances */
    const struct instance *second;    /* the name that follows it */
};

/* Visit `max_visits` instances of sets at most, beginning at member number `rotation`, modulo their
 * count. Instances of names are few and always visited. */
static inline void instance_iter_begin(struct instance_iter *iter,
                                       const struct instance_source *source, uint32_t rotation,
                                       uint32_t max_visits)
{
    static const struct member_version none;
    iter->sets[0] = source->sets[0] ? source->sets[0] : &none;
    iter->sets[1] = source->sets[1] ? source->sets[1] : &none;
    iter->first = iter->sets[0]->count;
    iter->total = iter->first + iter->sets[1]->count;
    iter->names = iter->total < max_visits ? iter->total : max_visits;
    iter->visits = iter->left = iter->names;
    iter->max_visits = max_visits;
    iter->position = iter->total > 1 ? rotation % iter->total : 0;
    iter->same_name = source->heads[0];
    iter->second = source->heads[1];
}

/* At the end: whether instances were left out. */
static inline bool instance_iter_is_cut(const struct instance_iter *iter)
{
    return iter->left == 0 && iter->total > iter->names;
}

/* How many instances have been visited. */
static inline uint32_t instance_iter_visited(const struct instance_iter *iter)
{
    return iter->visits - iter->left;
}

/* The next that is the first of its name in a set; NULL at the end. */
static inline const struct instance *instance_iter_next_name(struct instance_iter *iter)
{
    const struct instance *instance = NULL;
    while (!instance && iter->left > 0) {
        uint32_t at = iter->position;
        iter->position = at + 1 < iter->total ? at + 1 : 0;
        iter->left--;
        bool is_first = at < iter->first;
        instance = member_vector_at(iter->sets[!is_first], is_first ? at : at - iter->first);
    }
    return instance;
}

/* Whether another key of a name is visited: at the expense of what the names leave over, then of the
 * names to come. So nothing is counted for names that have one key each, as most do. */
static inline bool instance_iter_may_share(struct instance_iter *iter)
{
    if (iter->total == 0 || iter->visits < iter->max_visits) {
        iter->visits++;
        return true;
    }
    iter->names--;
    if (iter->left == 0)
        return false;
    iter->left--;
    return true;
}

/* The next, those that share a name with one before it among them; NULL at the end. */
static inline const struct instance *instance_iter_next(struct instance_iter *iter)
{
    const struct instance *instance = iter->same_name;
    if (!instance || !instance_iter_may_share(iter)) {
        instance = iter->second ? iter->second : instance_iter_next_name(iter);
        iter->second = NULL;
    }
    iter->same_name = instance ? instance_next(instance) : NULL;
    return instance;
}

static inline uint32_t instance_source_name_ttl(const struct instance *instance, uint32_t max_ttl_s)
{
    for (; instance; instance = instance_next(instance))
        if (instance->key.ttl_s < max_ttl_s)
            max_ttl_s = instance->key.ttl_s;
    return max_ttl_s;
}

/* The least TTL of all, not only of those that an iteration visits; at most max_ttl_s. */
static inline uint32_t instance_source_ttl(const struct instance_source *source, uint32_t max_ttl_s)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct member_version *set = source->sets[i];
        uint32_t ttl_s = set ? __atomic_load_n(&set->ttl_s, __ATOMIC_RELAXED) : max_ttl_s;
        if (ttl_s < max_ttl_s)
            max_ttl_s = ttl_s;
        max_ttl_s = instance_source_name_ttl(source->heads[i], max_ttl_s);
    }
    return max_ttl_s;
}

#endif
