#include "walk.h"

const struct instance *walk_name(struct walk *walk)
{
    for (; walk->set < 2; walk->set++, walk->position = 0) {
        const struct members *set = walk->sets[walk->set];
        while (set && walk->position < set->count) {
            const struct instance *instance = members_at(set, walk->position++);
            if (instance)
                return instance;
        }
        if (walk->chains[walk->set])
            return walk->chains[walk->set++];
    }
    return NULL;
}

const struct instance *walk_next(struct walk *walk)
{
    const struct instance *instance = walk->chained ? walk->chained : walk_name(walk);
    walk->chained = instance ? instance->next : NULL;
    return instance;
}

bool walk_is_single(const struct walk *from)
{
    struct walk walk = *from;
    return walk_next(&walk) && !walk_next(&walk);
}

static uint32_t walk_chain_ttl(const struct instance *chain, uint32_t most)
{
    for (; chain; chain = chain->next)
        if (chain->record.ttl_s < most)
            most = chain->record.ttl_s;
    return most;
}

uint32_t walk_ttl(const struct walk *walk, uint32_t most)
{
    for (unsigned i = 0; i < 2; i++) {
        if (walk->sets[i] && walk->sets[i]->ttl_s < most)
            most = walk->sets[i]->ttl_s;
        most = walk_chain_ttl(walk->chains[i], most);
    }
    return most;
}

uint32_t walk_address_ttl(const struct walk *from, uint32_t most)
{
    struct walk walk = *from;
    uint32_t least = walk_ttl(from, most), members = 0;
    const struct instance *instance;
    for (unsigned i = 0; i < 2; i++)
        members += from->sets[i] ? from->sets[i]->count : 0;
    /* Hosts have TTLs of their own; answers look at them in small sets alone. */
    while (members <= MEMBERS_CHUNK && (instance = walk_next(&walk))) {
        const struct target *target = instance->target;
        if (target->node.kind == NODE_HOST && target->addresses && target->ttl_s < least)
            least = target->ttl_s;
    }
    return least;
}
