#include "extra.h"

#include "records.h"

/* The addresses of a target of the answer. False when they did not fit: then there are none. */
static inline bool put_target(struct reply *reply, const struct reply_ref *ref)
{
    const struct target *target = ref->what;
    struct reply_mark mark = reply_mark(reply);
    if (target->is_elsewhere)
        return true; /* not ours to say */
    records_target(reply, target, (uint16_t)(0xc000u | ref->at));
    if (!reply->is_full)
        return true;
    reply_rollback(reply, mark);
    return false;
}

/* Of the refs from `first` on, each target once. */
static bool put_targets(struct reply *reply, unsigned first)
{
    for (unsigned i = first; i < reply->ref_count; i++) {
        const struct reply_ref *ref = &reply->refs[i];
        if (seen_add(reply->seen, (uintptr_t)ref->what, 0) && !put_target(reply, ref))
            return false;
    }
    return true;
}

void extra_srv(struct reply *reply)
{
    if (reply->ref_count == 1)
        (void)put_target(reply, reply->refs);
    else
        (void)put_targets(reply, 0);
}

/* All records of one name, or none. */
static bool put_chain(struct reply *reply, const struct instance *instance, uint16_t owner)
{
    struct reply_mark mark = reply_mark(reply);
    uint16_t refs = reply->ref_count;
    (void)records_instance_srv(reply, instance, owner);
    bool has_all =
        !reply->is_full && records_txt(reply, instance, owner) && put_targets(reply, refs);
    reply->ref_count = refs;
    if (!has_all)
        reply_rollback(reply, mark);
    return has_all;
}

static inline bool is_usual(const struct instance *instance)
{
    return !rcu_read(instance->next) && instance->target->node.kind == NODE_ADDRESS;
}

void extra_ptr(struct reply *reply)
{
    for (unsigned i = 0, count = reply->ref_count; i < count; i++) {
        const struct instance *instance = reply->refs[i].what;
        uint16_t owner = (uint16_t)(0xc000u | reply->refs[i].at);
        bool has_all = is_usual(instance) ? records_instance(reply, instance, owner)
                                          : put_chain(reply, instance, owner);
        if (!has_all)
            return;
    }
}

void extra_ns(struct reply *reply, const uint8_t *first)
{
    const struct view *view = reply->view;
    const uint8_t *record = first;
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
