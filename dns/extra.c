#include "extra.h"

#include "records.h"

static bool put_target(struct reply *reply, const struct reply_target *target)
{
    uint16_t owner = (uint16_t)(0xc000u | target->at);
    if (target->target->is_elsewhere)
        return true; /* not ours to say */
    (void)records_addresses(reply, target->target, owner, TYPE_A);
    (void)records_addresses(reply, target->target, owner, TYPE_AAAA);
    return !reply->is_full;
}

/* The addresses of the targets just remembered that the message does not hold yet. */
static bool put_targets(struct reply *reply)
{
    for (unsigned i = 0; i < reply->target_count; i++) {
        const struct reply_target *target = &reply->targets[i];
        if (seen_add(reply->seen, (uintptr_t)target->target, 0) && !put_target(reply, target))
            return false;
    }
    return true;
}

void extra_srv(struct reply *reply)
{
    for (unsigned i = 0; i < reply->target_count; i++) {
        const struct reply_target *target = &reply->targets[i];
        struct reply_mark mark = reply_mark(reply);
        if (reply->target_count > 1 && !seen_add(reply->seen, (uintptr_t)target->target, 0))
            continue;
        if (put_target(reply, target))
            continue;
        reply_rollback(reply, mark);
        break;
    }
}

/* All records of one instance, or none. */
static bool put_instance(struct reply *reply, const struct instance *instance, uint16_t owner)
{
    struct reply_mark mark = reply_mark(reply);
    struct sources chain = {.chains = {instance}};
    reply->target_count = 0;
    (void)records_srv(reply, &chain, owner, sources_ttl(&chain, reply->view->record_ttl_s));
    if (!reply->is_full && records_txt(reply, instance, owner) && put_targets(reply))
        return true;
    reply_rollback(reply, mark);
    return false;
}

void extra_ptr(struct reply *reply, const struct members *members, const uint8_t *first)
{
    struct sources sources = {.sets = {members}};
    struct sources_walk walk;
    const struct instance *instance;
    const uint8_t *record = first;
    unsigned left = reply->counts[0];
    sources_walk(&walk, &sources, reply->query->rotation);
    while (left-- > 0 && (instance = sources_next(&walk, false))) {
        const uint8_t *data = record + 12;
        uint16_t owner = (uint16_t)(0xc000u | reply_offset(reply, data));
        if (data - reply->start > REPLY_POINTER_MAX || !put_instance(reply, instance, owner))
            return;
        record = data + (record[10] << 8 | record[11]);
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
