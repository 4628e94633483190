#include "dump.h"

#include "internal.h"
#include "rdata.h"
#include "walk.h"
#include "zones/store/pairs.h"

#include <endian.h>
#include <stdlib.h>

struct dump {
    const struct zone *zone;
    const struct view *view;
    dump_each *each;
    void *arg;
    enum status status; /* what went wrong first: nothing is given any more */
    struct pairs seen;
    size_t owner_len;
    uint8_t owner[NAME_MAX_LEN];
    uint8_t rdata[RDATA_MEMBER_TXT_MAX];
};

static void dump_put(struct dump *dump, uint16_t type, uint32_t ttl_s, const uint8_t *rdata,
                     size_t len)
{
    struct dump_record record = {.owner = dump->owner,
                                 .owner_len = (uint16_t)dump->owner_len,
                                 .rdata = rdata,
                                 .rdata_len = (uint16_t)len,
                                 .type = type,
                                 .ttl_s = ttl_s};
    if (dump->status == STATUS_OK && !dump->each(dump->arg, &record))
        dump->status = STATUS_CANCELLED;
}

/* Owner of the records to come: a name below the zone. */
static void dump_set_owner(struct dump *dump, const uint8_t *name, size_t len)
{
    memcpy(dump->owner, name, len);
    memcpy(dump->owner + len, dump->view->wire, dump->view->wire_len);
    dump->owner_len = len + dump->view->wire_len;
}

static bool dump_is_new(struct dump *dump, uint64_t a, uint64_t b)
{
    bool added = false;
    enum status status = pairs_add(&dump->seen, a, b, &added);
    if (status != STATUS_OK && dump->status == STATUS_OK)
        dump->status = status;
    return added;
}

static void dump_put_srv(struct dump *dump, const struct walk *from)
{
    struct walk walk = *from;
    const struct instance *instance;
    bool is_single = walk_is_single(from);
    uint32_t ttl_s = walk_ttl(from, dump->view->record_ttl_s);
    pairs_reset(&dump->seen);
    while (dump->status == STATUS_OK && (instance = walk_next(&walk)))
        if (is_single || dump_is_new(dump, (uintptr_t)instance->target, rdata_srv_key(instance)))
            dump_put(dump, TYPE_SRV, ttl_s, dump->rdata,
                     rdata_srv(dump->view, instance, dump->rdata));
}

static void dump_put_walk_addresses(struct dump *dump, const struct walk *from, uint16_t type)
{
    struct walk walk = *from;
    const struct instance *instance;
    uint32_t ttl_s = walk_address_ttl(from, dump->view->record_ttl_s);
    pairs_reset(&dump->seen);
    while (dump->status == STATUS_OK && (instance = walk_next(&walk))) {
        struct rdata_addresses list = rdata_addresses(instance->target, type);
        for (uint32_t i = 0; i < list.count; i++) {
            uint64_t pair[2] = {0};
            memcpy(pair, list.octets + (size_t)i * list.len, list.len);
            if (dump_is_new(dump, pair[0], pair[1]))
                dump_put(dump, (uint16_t)type, ttl_s, list.octets + (size_t)i * list.len, list.len);
        }
    }
}

static void dump_put_view(struct dump *dump, const struct walk *walk)
{
    dump_put_walk_addresses(dump, walk, TYPE_A);
    dump_put_walk_addresses(dump, walk, TYPE_AAAA);
    dump_put_srv(dump, walk);
}

/* `head` and what follows it below the zone. */
static void dump_put_ptr(struct dump *dump, uint32_t ttl_s, const uint8_t *head, size_t head_len,
                         const uint8_t *tail, size_t tail_len)
{
    const struct view *view = dump->view;
    memcpy(dump->rdata, head, head_len);
    memcpy(dump->rdata + head_len, tail, tail_len);
    memcpy(dump->rdata + head_len + tail_len, view->wire, view->wire_len);
    dump_put(dump, TYPE_PTR, ttl_s, dump->rdata, head_len + tail_len + view->wire_len);
}

/* From a type or subtype to its instances, which lie below the type. */
static void dump_put_members(struct dump *dump, const struct set *set, const struct node *type)
{
    const struct members *members = set->members.published;
    struct walk walk = {.sets = {members}};
    uint32_t ttl_s = walk_ttl(&walk, dump->view->record_ttl_s);
    const struct instance *instance;
    while (dump->status == STATUS_OK && (instance = walk_name(&walk))) {
        const uint8_t *label = instance_label(instance);
        dump_put_ptr(dump, ttl_s, label, 1u + label[0], node_name(type), type->name_len);
    }
}

static void dump_put_type_txt(struct dump *dump, const struct set *set)
{
    struct walk walk = {.sets = {set->members.published}};
    uint32_t ttl_s = walk_ttl(&walk, dump->view->record_ttl_s);
    const struct instance *instance;
    while (dump->status == STATUS_OK && (instance = walk_name(&walk)))
        dump_put(dump, TYPE_TXT, ttl_s, dump->rdata, rdata_member_txt(instance, dump->rdata));
}

static bool dump_is_udp(const struct node *type)
{
    return node_name(type)[type->name_len - 3] == 'u';
}

/* The node with the same labels in the other protocol, if it is of the same kind. */
static const struct node *dump_counterpart(const struct dump *dump, const struct node *node)
{
    uint8_t name[NAME_MAX_LEN + NAME_PAD];
    size_t len = node->name_len;
    memcpy(name, node_name(node), len);
    memcpy(name + len - 5, dump_is_udp(node) ? "\4_tcp" : "\4_udp", 5);
    const struct node *other = owner_find(dump->zone, name, len);
    return other && other->kind == node->kind ? other : NULL;
}

/* [<label>.]<type without its _>.service. False: too long. */
static bool dump_set_view_owner(struct dump *dump, const struct node *node)
{
    const uint8_t *name = node_name(node), *type = name;
    size_t label_len = node->kind == NODE_INSTANCE ? 1u + name[0] : 0;
    uint8_t view[NAME_MAX_LEN + 8];
    type += label_len;
    size_t len = label_len + type[0] + 8;
    if (len + dump->view->wire_len > NAME_MAX_LEN)
        return false;
    memcpy(view, name, label_len);
    view[label_len] = (uint8_t)(type[0] - 1);
    memcpy(view + label_len + 1, type + 2, type[0] - 1u);
    memcpy(view + len - 8, "\7service", 8);
    dump_set_owner(dump, view, len);
    return true;
}

/* Of a name that exists with both protocols, _tcp gives the view of both. */
static void dump_put_instance_view(struct dump *dump, const struct instance *instance,
                                   bool has_counterpart)
{
    const struct node *node = &instance->record.node;
    if (!name_is_host_label(node_name(node)))
        return;
    const struct node *other = has_counterpart ? dump_counterpart(dump, node) : NULL;
    struct walk walk = {.chains = {instance, (const struct instance *)other}};
    if ((other && dump_is_udp(node)) || !dump_set_view_owner(dump, node))
        return;
    dump_put_view(dump, &walk);
}

static void dump_put_instance(struct dump *dump, const struct instance *instance)
{
    static const uint8_t nothing[1]; /* RFC 6763 6.1: nothing to say is one empty string */
    const struct node *node = &instance->record.node;
    struct walk walk = {.chains = {instance}};
    dump_set_owner(dump, node_name(node), node->name_len);
    dump_put_srv(dump, &walk);
    dump_put(dump, TYPE_TXT, instance->record.ttl_s,
             instance->txt_len ? instance_txt(instance) : nothing,
             instance->txt_len ? instance->txt_len : 1);
}

static void dump_put_type(struct dump *dump, const struct node *node)
{
    const struct set *type = (const struct set *)node;
    const struct node *other = dump_counterpart(dump, node);
    struct walk walk = {.sets = {type->members.published}};
    const struct instance *instance;
    dump_set_owner(dump, node_name(node), node->name_len);
    dump_put_members(dump, type, node);
    dump_put_srv(dump, &walk);
    dump_put_type_txt(dump, type);
    if (!other || !dump_is_udp(node)) {
        struct walk view = walk;
        view.sets[1] = other ? ((const struct set *)other)->members.published : NULL;
        if (dump_set_view_owner(dump, node))
            dump_put_view(dump, &view);
    }
    while (dump->status == STATUS_OK && (instance = walk_name(&walk))) {
        dump_put_instance(dump, instance);
        dump_put_instance_view(dump, instance, other != NULL);
    }
}

static void dump_put_list(struct dump *dump)
{
    const struct set *list = dump->zone->types;
    const struct members *members = list->members.published;
    dump_set_owner(dump, node_name(&list->node), list->node.name_len);
    for (uint32_t i = 0; members && i < members->count; i++) {
        const struct set *type = members_at(members, i);
        if (type)
            dump_put_ptr(dump, members->ttl_s, node_name(&type->node), type->node.name_len,
                         dump->owner, 0);
    }
}

static void dump_put_target(struct dump *dump, const struct node *node)
{
    static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
    const struct target *target = (const struct target *)node;
    dump_set_owner(dump, node_name(node), node->name_len);
    for (unsigned t = 0; t < 2; t++) {
        struct rdata_addresses list = rdata_addresses(target, types[t]);
        for (uint32_t i = 0; i < list.count; i++)
            dump_put(dump, (uint16_t)types[t], target->ttl_s, list.octets + (size_t)i * list.len,
                     list.len);
    }
}

static void dump_put_fixed(struct dump *dump, const struct node *node)
{
    static const uint16_t types[] = {TYPE_A, TYPE_AAAA, TYPE_PTR};
    const struct fixed *fixed = (const struct fixed *)node;
    dump_set_owner(dump, node_name(node), node->name_len);
    for (unsigned t = 0; t < sizeof(types) / sizeof(types[0]); t++)
        for (unsigned i = 0; i < fixed->count; i++)
            if (fixed->records[i].type == types[t])
                dump_put(dump, fixed->records[i].type, VIEW_STATIC_TTL_S,
                         (const uint8_t *)fixed + fixed->records[i].rdata_at,
                         fixed->records[i].rdata_len);
}

static void dump_put_apex(struct dump *dump)
{
    const struct view *view = dump->view;
    dump_set_owner(dump, view->wire, 0);
    dump_put(dump, TYPE_SOA, VIEW_SOA_TTL_S, dump->rdata, rdata_soa(view, dump->rdata));
    for (unsigned i = 0; i < view->ns_count; i++)
        dump_put(dump, TYPE_NS, VIEW_STATIC_TTL_S, view->ns[i].wire, view->ns[i].wire_len);
}

static void dump_put_node(struct dump *dump, const struct node *node)
{
    const struct switch_ *switch_ = (const struct switch_ *)node;
    switch (node->kind) {
    case NODE_FIXED:
        dump_put_fixed(dump, node);
        break;
    case NODE_LIST:
        dump_put_list(dump);
        break;
    case NODE_TYPE:
        dump_put_type(dump, node);
        break;
    case NODE_SUBTYPE:
        dump_set_owner(dump, node_name(node), node->name_len);
        dump_put_members(dump, (const struct set *)node, &((const struct set *)node)->parent->node);
        break;
    case NODE_ADDRESS:
    case NODE_HOST:
        dump_put_target(dump, node);
        break;
    case NODE_SWITCH:
        dump_set_owner(dump, node_name(node), node->name_len);
        dump_put(dump, TYPE_TXT, switch_->record.ttl_s, switch_txt(switch_), switch_->txt_len);
        break;
    default:
        break;
    }
}

/* The table holds names in the order of a random hash: they are sorted, so that two dumps of the
 * same data are the same. */
struct row {
    uint64_t order; /* kind and beginning of the name: mostly enough */
    const struct node *node;
};

static uint64_t dump_order_of(const struct node *node)
{
    uint64_t begin;
    if (node->kind == NODE_ADDRESS) {
        const struct target *target = (const struct target *)node;
        memcpy(&begin, target->address, sizeof(begin));
        begin = be64toh(begin);
        begin = target->family == 4 ? begin >> 32 : begin >> 9 | UINT64_C(1) << 55;
    } else {
        name_words words = (name_words)name_fold_block(name_load(node_name(node) + 1));
        begin = be64toh(words[0]) >> 8;
    }
    return (uint64_t)node->kind << 56 | begin;
}

static int dump_compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    uint8_t names[2][NAME_MAX_LEN];
    size_t a_len = a->node->name_len, b_len = b->node->name_len;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    name_fold_exact(names[0], node_name(a->node), a_len);
    name_fold_exact(names[1], node_name(b->node), b_len);
    int order = memcmp(names[0] + 1, names[1] + 1, (a_len < b_len ? a_len : b_len) - 1);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static bool dump_is_wanted(const struct node *node)
{
    return node->kind >= NODE_FIXED && node->kind != NODE_INSTANCE; /* which come with their type */
}

static enum status dump_collect(const struct zone *zone, struct row **out, size_t *out_count)
{
    struct row *rows = NULL;
    size_t count = 0, room = 0;
    uint64_t position = 0;
    const struct node *node;
    while ((node = table_each(&zone->view.names, &position))) {
        if (!dump_is_wanted(node))
            continue;
        if (count == room) {
            room = room ? room * 2 : 64;
            struct row *larger = realloc(rows, room * sizeof(*rows));
            if (!larger) {
                free(rows);
                return STATUS_NO_MEMORY;
            }
            rows = larger;
        }
        rows[count++] = (struct row){dump_order_of(node), node};
    }
    if (count > 1)
        qsort(rows, count, sizeof(*rows), dump_compare_rows);
    *out = rows;
    *out_count = count;
    return STATUS_OK;
}

bool zone_is_whole(const struct zone *zone)
{
    return !zone->is_loading && !zone->has_changed && !zone->dirty && zone->pending_count == 0;
}

enum status zone_dump(const struct zone *zone, dump_each *each, void *arg)
{
    struct dump dump = {.zone = zone,
                        .view = &zone->view,
                        .each = each,
                        .arg = arg,
                        .seen = {.seed = &zone->view.seed}};
    struct row *rows;
    size_t count;
    enum status status = dump_collect(zone, &rows, &count);
    if (status != STATUS_OK)
        return status;
    dump_put_apex(&dump);
    for (size_t i = 0; i < count && dump.status == STATUS_OK; i++)
        dump_put_node(&dump, rows[i].node);
    free(rows);
    pairs_clear(&dump.seen);
    return dump.status;
}
