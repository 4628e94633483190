#include "additional.h"

#include "records.h"

/* Octets of the target's name in the data of an SRV record. */
static size_t additional_target_len(const struct reply *reply, size_t at)
{
    const uint8_t *rdata = reply->start + at - RRSETS_SRV_FIXED;
    return ((size_t)rdata[-2] << 8 | rdata[-1]) - RRSETS_SRV_FIXED;
}

/* A pointer to the zone's name in its own letters, from the question or the first target; 0: there
 * is none. */
static uint16_t additional_zone_pointer(const struct reply *reply)
{
    const struct view *view = reply->view;
    size_t at = reply->query->zone_at;
    if (at == 0 || memcmp(reply->start + at, view->wire.octets, view->wire.len) != 0) {
        if (reply->query->type != TYPE_SRV)
            return 0;
        at = reply->scratch->refs[0].at;
        at += additional_target_len(reply, at) - view->wire.len;
    }
    bool is_there = at <= REPLY_POINTER_MAX &&
                    memcmp(reply->start + at, view->wire.octets, view->wire.len) == 0;
    return is_there ? (uint16_t)(0xc000u | at) : 0;
}

/* No pointer reaches the target's name at `at`, so it stands again before each address, but for the
 * zone's. */
static __attribute__((noinline, cold)) void
additional_put_far_target(struct reply *reply, const struct target *target, size_t at)
{
    const struct view *view = reply->view;
    const uint8_t *name = reply->start + at;
    size_t len = additional_target_len(reply, at) - view->wire.len;
    uint16_t zone = additional_zone_pointer(reply);
    if (zone != 0 && memcmp(name + len, view->wire.octets, view->wire.len) == 0)
        records_target_far(reply, target, name, len, zone);
}

/* The addresses of a target of the answer. False when they did not fit: then there are none. */
static inline bool additional_put_target(struct reply *reply, const struct reply_ref *ref)
{
    const struct target *target = ref->what;
    struct reply_mark mark = reply_mark(reply);
    if (target->is_elsewhere)
        return true; /* not ours to say */
    if (__builtin_expect(ref->at <= REPLY_POINTER_MAX, 1))
        records_target(reply, target, (uint16_t)(0xc000u | ref->at));
    else
        additional_put_far_target(reply, target, ref->at);
    if (!reply->is_full)
        return true;
    reply_rollback(reply, mark);
    return false;
}

/* Of the refs from `first` on, each target once. */
static bool additional_put_targets(struct reply *reply, unsigned first)
{
    for (unsigned i = first; i < reply->ref_count; i++) {
        const struct reply_ref *ref = &reply->scratch->refs[i];
        if (dedup_add(&reply->scratch->dedup, (uintptr_t)ref->what, 0) &&
            !additional_put_target(reply, ref))
            return false;
    }
    return true;
}

/* One target, as an instance has, needs no look for duplicates. */
void additional_srv(struct reply *reply)
{
    if (reply->ref_count == 1)
        (void)additional_put_target(reply, reply->scratch->refs);
    else
        (void)additional_put_targets(reply, 0);
}

/* All records of one name, or none. */
/* The references of what is rolled back are not: they have room, as they were in a message, and
 * nobody reads them after the one that failed. */
static bool additional_put_chain(struct reply *reply, const struct instance *instance,
                                 uint16_t owner)
{
    struct reply_mark mark = reply_mark(reply);
    uint16_t refs = reply->ref_count;
    (void)records_instance_srv(reply, instance, owner);
    bool has_all = !reply->is_full && records_txt(reply, instance, owner) &&
                   additional_put_targets(reply, refs);
    if (!has_all)
        reply_rollback(reply, mark);
    return has_all;
}

static inline bool additional_is_fast(const struct instance *instance)
{
    return !instance_next(instance) && instance->target->node.kind == NODE_ADDRESS;
}

void additional_ptr(struct reply *reply)
{
    for (unsigned i = 0, count = reply->ref_count; i < count; i++) {
        const struct reply_ref *ref = &reply->scratch->refs[i];
        const struct instance *instance = ref->what;
        uint16_t owner = (uint16_t)(0xc000u | ref->at);
        if (ref->at > REPLY_POINTER_MAX)
            return; /* no pointer reaches this name, nor any that follows */
        if (reply->looks > REPLY_VISITS_MAX)
            return;
        bool has_all = records_is_near(reply) && additional_is_fast(instance)
                           ? records_instance(reply, instance, owner)
                           : additional_put_chain(reply, instance, owner);
        if (!has_all)
            return;
    }
}

void additional_ns(struct reply *reply, const uint8_t *first)
{
    const struct view *view = reply->view;
    const uint8_t *record = first; /* they stand in the order of view->ns, as many as fitted */
    for (unsigned i = 0; i < view->ns_count && i < reply->counts[0]; i++) {
        const struct node *node = view->ns[i].node ? &view->ns[i].node->node : NULL;
        const uint8_t *data = record + 12;
        uint16_t owner = (uint16_t)(0xc000u | reply_offset(reply, data));
        struct reply_mark mark = reply_mark(reply);
        if (node) {
            (void)records_fixed(reply, node, owner, TYPE_A);
            (void)records_fixed(reply, node, owner, TYPE_AAAA);
        }
        if (reply->is_full) {
            reply_rollback(reply, mark);
            return;
        }
        record = data + (record[10] << 8 | record[11]);
    }
}
