#include "names.h"

#include <stdlib.h>

/* One block: a reader finds the name and its data behind the pointer that it has, and retiring that
 * frees them. What follows the fixed part is not cleared, since the caller fills it in before
 * anybody sees it. */
void *names_new(enum node_kind kind, size_t size, const uint8_t *name, size_t name_len,
                size_t data_len)
{
    struct node *node = malloc(size + name_len + data_len + NAME_PAD);
    if (!node)
        return NULL;
    memset(node, 0, size);
    *node = (struct node){
        .kind = (uint8_t)kind, .name_len = (uint8_t)name_len, .name_at = (uint16_t)size};
    memcpy((uint8_t *)node + size, name, name_len);
    memset((uint8_t *)node + size + name_len + data_len, 0, NAME_PAD); /* it is read, if not used */
    return node;
}

uint64_t names_hash(const void *arg, const void *item)
{
    const struct zone *zone = arg;
    struct name_padded name = node_padded(item);
    uint8_t folded[NAME_MAX_LEN + NAME_PAD];
    name_fold(folded, name);
    return name_hash(&zone->view.seed, (struct name_padded){folded, name.len});
}

struct node *names_find_in(const struct zone *zone, const struct ptr_table *table,
                           struct name_padded name)
{
    uint8_t octets[NAME_MAX_LEN + NAME_PAD];
    struct name_padded folded = {octets, name.len};
    name_fold(octets, name);
    uint64_t hash = name_hash(&zone->view.seed, folded);
    /* The writer may change what readers may not. */
    return (struct node *)(uintptr_t)view_find_in(table->slots, folded, hash);
}

struct node *names_find(const struct zone *zone, struct name_padded name)
{
    return names_find_in(zone, &zone->view.names, name);
}

/* Its parent does not count it, and needs not: _tcp, addr and host are there for ever (apex.c), and
 * a type stays as long as instances name it; its node is reaped after theirs (zone_commit()). */
enum status names_add(struct zone *zone, struct node *node)
{
    enum status status = ptr_table_insert(&zone->view.names, names_hash(zone, node), node);
    if (status == STATUS_OK)
        zone->counts.names++;
    return status;
}

void names_replace(struct zone *zone, struct node *old, struct node *node)
{
    /* They are counted of the name, whichever node stands for it. */
    node->children = old->children;
    ptr_table_replace(&zone->view.names, names_hash(zone, node), old, node);
}

void names_remove(struct zone *zone, struct node *node)
{
    ptr_table_remove(&zone->view.names, names_hash(zone, node), node);
    zone->counts.names--;
    rcu_retire(node);
}

/* The parent's name: what follows the first label. */
static struct name_padded names_parent_of(struct name_padded name)
{
    size_t at = 1u + name.octets[0];
    return (struct name_padded){name.octets + at, name.len - at};
}

/* Make sure that there is a node by this name, and count one more child of it. */
static enum status names_hold_parent(struct zone *zone, struct name_padded name)
{
    if (name.len == 0)
        return STATUS_OK;
    struct node *node = names_find(zone, name);
    if (node) {
        node->children++;
        return STATUS_OK;
    }
    node = names_new(NODE_EMPTY, sizeof(*node), name.octets, name.len, 0);
    if (!node)
        return STATUS_NO_MEMORY;
    enum status status = names_add_deep(zone, node);
    if (status != STATUS_OK) {
        free(node);
        return status;
    }
    node->children = 1;
    return STATUS_OK;
}

/* The other way round: a parent that was made for its children goes with the last of them, and its
 * own parent perhaps with it. One that has records, or that apex.c entered, stays. */
static void names_drop_parent(struct zone *zone, struct name_padded name)
{
    struct node *node = name.len ? names_find(zone, name) : NULL;
    if (!node)
        return;
    node->children--;
    if (node->kind == NODE_EMPTY && node->children == 0)
        names_remove_deep(zone, node);
}

enum status names_add_deep(struct zone *zone, struct node *node)
{
    struct name_padded parent = names_parent_of(node_padded(node));
    struct node *empty = names_find(zone, node_padded(node));
    if (empty) {
        names_replace(zone, empty, node);
        rcu_retire(empty);
        return STATUS_OK;
    }
    /* Parents first: a name that exists below one that does not would make resolvers deny it (RFC
     * 8020). */
    enum status status = names_hold_parent(zone, parent);
    if (status != STATUS_OK)
        return status;
    status = names_add(zone, node);
    if (status != STATUS_OK)
        names_drop_parent(zone, parent);
    return status;
}

void names_remove_deep(struct zone *zone, struct node *node)
{
    if (node->children > 0) {
        /* In place, so that removing needs no memory: readers see a kind or the other. */
        __atomic_store_n(&node->kind, NODE_EMPTY, __ATOMIC_RELAXED);
        return;
    }
    /* Retired memory stays until the next collection. */
    struct name_padded parent = names_parent_of(node_padded(node));
    names_remove(zone, node);
    names_drop_parent(zone, parent);
}

/* Doubled, as the sweep of a load puts off thousands before it commits; room that was made once is
 * kept. */
enum status names_reserve_reaps(struct zone *zone, size_t count)
{
    if (zone->to_reap_count + count <= zone->to_reap_capacity)
        return STATUS_OK;
    size_t capacity = zone->to_reap_capacity * 2 + count + 64;
    struct node **to_reap = realloc(zone->to_reap, capacity * sizeof(*to_reap));
    if (!to_reap)
        return STATUS_NO_MEMORY;
    zone->to_reap = to_reap;
    zone->to_reap_capacity = capacity;
    return STATUS_OK;
}

/* Must not fail, as what removes a key cannot: so whoever changes one has reserved room for all
 * that this may put off (REAPS_PER_KEY in zone.c). */
void names_defer_reap(struct zone *zone, struct node *node)
{
    assert(zone->to_reap_count < zone->to_reap_capacity);
    zone->to_reap[zone->to_reap_count++] = node;
}
