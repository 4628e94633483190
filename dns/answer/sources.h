/* dns/answer/sources.h - the instances behind a name, one after the other.
 *
 * Threads: readers (zones/store/rcu.h). */
#ifndef DNS_ANSWER_SOURCES_H
#define DNS_ANSWER_SOURCES_H

#include "zones/node.h"

/* Members looked at for one answer: bounds the work when most of them say the same. */
#define SOURCES_VISITS_MAX 8192

/* Where instances come from: one or two sets (a host view joins tcp and udp), or one or two chains
 * of instances with the same name. */
struct sources {
    const struct members *sets[2];
    const struct instance *chains[2];
};

struct sources_walk {
    const struct members *sets[2];
    uint32_t first, total; /* members of the first set, of both */
    uint32_t position, left;
    const struct instance *chained; /* the rest of a chain */
    const struct instance *second;  /* the chain that follows it */
};

/* The least TTL of a chain. */
static inline uint32_t sources_chain_ttl(const struct instance *instance, uint32_t most)
{
    for (; instance; instance = rcu_read(instance->next))
        if (instance->record.ttl_s < most)
            most = instance->record.ttl_s;
    return most;
}

/* The least TTL. */
static inline uint32_t sources_ttl(const struct sources *sources, uint32_t most)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct members *set = sources->sets[i];
        uint32_t ttl_s = set ? __atomic_load_n(&set->ttl_s, __ATOMIC_RELAXED) : most;
        if (ttl_s < most)
            most = ttl_s;
        most = sources_chain_ttl(sources->chains[i], most);
    }
    return most;
}

static inline void sources_begin(struct sources_walk *walk, const struct sources *sources,
                                 uint32_t rotation)
{
    static const struct members none;
    walk->sets[0] = sources->sets[0] ? sources->sets[0] : &none;
    walk->sets[1] = sources->sets[1] ? sources->sets[1] : &none;
    walk->first = walk->sets[0]->count;
    walk->total = walk->first + walk->sets[1]->count;
    walk->position = walk->total > 1 ? rotation % walk->total : 0;
    walk->left = walk->total < SOURCES_VISITS_MAX ? walk->total : SOURCES_VISITS_MAX;
    walk->chained = sources->chains[0];
    walk->second = sources->chains[1];
}

/* Whether members were left out. */
static inline bool sources_is_cut(const struct sources_walk *walk)
{
    return walk->left == 0 && walk->total > SOURCES_VISITS_MAX;
}

/* How many of the sets' members have been looked at. */
static inline uint32_t sources_looks(const struct sources_walk *walk)
{
    return (walk->total < SOURCES_VISITS_MAX ? walk->total : SOURCES_VISITS_MAX) - walk->left;
}

/* The next of the sets' members; NULL at the end. */
static inline const struct instance *sources_member(struct sources_walk *walk)
{
    const struct instance *instance = NULL;
    while (!instance && walk->left > 0) {
        uint32_t at = walk->position;
        walk->position = at + 1 < walk->total ? at + 1 : 0;
        walk->left--;
        bool is_first = at < walk->first;
        instance = members_at(walk->sets[!is_first], is_first ? at : at - walk->first);
    }
    return instance;
}

/* Each in turn, with the chains behind a set's members; NULL at the end. */
static inline const struct instance *sources_next(struct sources_walk *walk)
{
    const struct instance *instance = walk->chained;
    if (!instance) {
        instance = walk->second ? walk->second : sources_member(walk);
        walk->second = NULL;
    }
    walk->chained = instance ? rcu_read(instance->next) : NULL;
    return instance;
}

#endif
