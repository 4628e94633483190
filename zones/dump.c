#include "dump.h"

#include "host_view.h"
#include "rrsets.h"

#include "registry/base/hash_set.h"

#include <endian.h>
#include <stdlib.h>

struct dump {
    const struct view *view;
    dump_each *each;
    void *arg;
    enum status status;     /* what went wrong first: nothing is given any more */
    struct hash_set unique; /* records of this RRset */
    size_t owner_len;
    uint8_t owner[NAME_MAX_LEN];
    struct rrset_iter iter;
};

static void dump_put_record(struct dump *dump)
{
    struct dump_record record = {.owner = dump->owner,
                                 .owner_len = (uint16_t)dump->owner_len,
                                 .rdata = dump->iter.rdata,
                                 .rdata_len = (uint16_t)dump->iter.rdata_len,
                                 .type = dump->iter.type,
                                 .ttl_s = dump->iter.ttl_s};
    if (dump->status == STATUS_OK && !dump->each(dump->arg, &record))
        dump->status = STATUS_CANCELLED;
}

static uint64_t dump_pair_hash(const void *seed, const uint64_t *pair)
{
    return name_hash_pair(seed, pair[0], pair[1]);
}

/* By what a record is made from instead of its octets: two words for each, however long it is. */
static bool dump_is_new(struct dump *dump, uint64_t a, uint64_t b)
{
    bool added = false;
    enum status status = hash_set_add(&dump->unique, (uint64_t[]){a, b}, &added);
    if (status != STATUS_OK && dump->status == STATUS_OK)
        dump->status = status;
    return added;
}

/* All records of a name below the zone. */
static void dump_put_owner(struct dump *dump, const uint8_t *name, size_t len,
                           const struct rrsets_owner *owner)
{
    struct rrset_iter *iter = &dump->iter;
    memcpy(dump->owner, name, len);
    memcpy(dump->owner + len, dump->view->wire.octets, dump->view->wire.len);
    dump->owner_len = len + dump->view->wire.len;
    rrset_iter_begin(iter, dump->view, owner);
    while (rrset_iter_next(iter)) {
        hash_set_reset(&dump->unique);
        while (dump->status == STATUS_OK && rrset_iter_next_record(iter))
            if (!iter->may_repeat || dump_is_new(dump, iter->key[0], iter->key[1]))
                dump_put_record(dump);
    }
}

static void dump_put_node(struct dump *dump, const struct node *node)
{
    struct rrsets_owner owner = {.node = node};
    dump_put_owner(dump, node_name(node), node->name_len, &owner);
}

static void dump_put_view(struct dump *dump, const struct node *node,
                          const struct instance_source *source)
{
    struct rrsets_owner owner = {.source = *source};
    uint8_t name[NAME_MAX_LEN];
    size_t len = host_view_name(dump->view, node, name);
    if (len > 0)
        dump_put_owner(dump, name, len, &owner);
}

/* A type with its instances, and their views. */
static void dump_put_type(struct dump *dump, const struct node *node)
{
    struct instance_source view,
        own = {.sets = {((const struct service_type *)node)->members.published}};
    struct instance_iter iter;
    const struct instance *instance;
    dump_put_node(dump, node);
    if (host_view_of(dump->view, node, &view))
        dump_put_view(dump, node, &view);
    bool is_joined = view.sets[0] && view.sets[1]; /* else no look-up can find another instance */
    instance_iter_begin(&iter, &own, 0, INSTANCE_ITER_ALL);
    while (dump->status == STATUS_OK && (instance = instance_iter_next_name(&iter))) {
        struct instance_source one = {.heads = {instance}};
        node = &instance->key.node;
        dump_put_node(dump, node);
        if (!is_joined || host_view_of(dump->view, node, &one))
            dump_put_view(dump, node, &one);
    }
}

/* The table holds names in the order of a random hash: they are sorted, so that two dumps of one
 * zone can be compared. Instances follow their type in the order of its members, so that a million
 * of them need no row here. */
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
        /* By number; a bit of its own puts IPv6 behind IPv4. */
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
    /* Without the first length octet: by letters, not by the length of the label. */
    int order = memcmp(names[0] + 1, names[1] + 1, (a_len < b_len ? a_len : b_len) - 1);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* There is room for all names, instances among them: that is address space alone, since memory comes
 * with the rows that are written. */
static enum status dump_collect(const struct view *view, struct row **out, size_t *out_count)
{
    struct row *rows = malloc(view->names.live * sizeof(*rows));
    size_t count = 0;
    uint64_t position = 0;
    const struct node *node;
    if (!rows)
        return STATUS_NO_MEMORY;
    while ((node = ptr_table_each(&view->names, &position)))
        if (node->kind >= NODE_FIXED && node->kind != NODE_INSTANCE) /* those follow their type */
            rows[count++] = (struct row){dump_order_of(node), node};
    qsort(rows, count, sizeof(*rows), dump_compare_rows);
    *out = rows;
    *out_count = count;
    return STATUS_OK;
}

enum status dump_zone(const struct zone *zone, dump_each *each, void *arg)
{
    const struct view *view = zone_view(zone);
    struct dump dump = {.view = view,
                        .each = each,
                        .arg = arg,
                        .unique = {.hash = dump_pair_hash, .seed = &view->seed, .words = 2}};
    struct row *rows;
    size_t count;
    enum status status = dump_collect(view, &rows, &count);
    if (status != STATUS_OK)
        return status;
    dump_put_node(&dump, view->apex);
    for (size_t i = 0; i < count && dump.status == STATUS_OK; i++)
        if (rows[i].node->kind == NODE_TYPE)
            dump_put_type(&dump, rows[i].node);
        else
            dump_put_node(&dump, rows[i].node);
    free(rows);
    hash_set_clear(&dump.unique);
    return dump.status;
}
