#include "key_node.h"

#include <stdlib.h>

static const uint8_t *key_node_stored_key(const struct key_node *key_node)
{
    switch (key_node->node.kind) {
    case NODE_SKIPPED:
        return ((const struct skipped *)key_node)->key;
    case NODE_INSTANCE:
        return instance_key((const struct instance *)key_node);
    default:
        return switch_node_txt((const struct switch_node *)key_node) +
               ((const struct switch_node *)key_node)->txt_len;
    }
}

/* An instance whose key follows from its name: label, and the type without its '_'. */
static size_t key_node_derive_key(const struct key_node *key_node, uint8_t *buffer)
{
    const uint8_t *label = node_name(&key_node->node), *type = label + 1 + label[0];
    uint8_t *at = mempcpy(buffer, "/service/", 9);
    at = mempcpy(at, type + 2, type[0] - 1u);
    *at++ = '/';
    at = mempcpy(at, label + 1, label[0]);
    return (size_t)(at - buffer);
}

struct name_padded key_node_key(const struct key_node *key_node, uint8_t buffer[KEY_NODE_SIZE])
{
    if (key_node->key_len > 0 || key_node->node.kind != NODE_INSTANCE)
        return (struct name_padded){key_node_stored_key(key_node), key_node->key_len};
    return (struct name_padded){buffer, key_node_derive_key(key_node, buffer)};
}

/* By their octets, as etcd orders them: which key of one name comes first is the same on every
 * server, whatever the order in which they came. */
int key_node_compare(const struct key_node *a, const struct key_node *b)
{
    uint8_t buffer_a[KEY_NODE_SIZE], buffer_b[KEY_NODE_SIZE];
    struct name_padded key_a = key_node_key(a, buffer_a), key_b = key_node_key(b, buffer_b);
    int order = memcmp(key_a.octets, key_b.octets, key_a.len < key_b.len ? key_a.len : key_b.len);
    return order ? order : (key_a.len > key_b.len) - (key_a.len < key_b.len);
}

/* In its own letters, as keys that differ by case are different keys. Copied, because hashing reads
 * blocks, and behind a key in the reply of etcd memory may end. */
uint64_t key_node_hash_key(const struct zone *zone, const char *key, size_t len)
{
    uint8_t padded[KEY_NODE_SIZE];
    memcpy(padded, key, len);
    return name_hash(&zone->view.seed, (struct name_padded){padded, len});
}

uint64_t key_node_hash(const void *arg, const void *item)
{
    const struct zone *zone = arg;
    uint8_t buffer[KEY_NODE_SIZE];
    return name_hash(&zone->view.seed, key_node_key(item, buffer));
}

struct key_node *key_node_find(const struct zone *zone, const char *key, size_t len, uint64_t hash)
{
    uint64_t position = hash;
    const struct key_node *key_node;
    while ((key_node = ptr_table_next(zone->keys.slots, hash, &position))) {
        uint8_t buffer[KEY_NODE_SIZE];
        struct name_padded its = key_node_key(key_node, buffer);
        if (its.len == len && memcmp(its.octets, key, len) == 0)
            return (struct key_node *)(uintptr_t)key_node;
    }
    return NULL;
}

/* It is kept though nothing is served of it: a load that brings it again knows it by its revision,
 * and neither parses nor logs it once more. */
struct key_node *key_node_new_skipped(const struct change *change, enum skip skip)
{
    struct skipped *skipped = malloc(sizeof(*skipped) + change->key_len + NAME_PAD);
    if (!skipped)
        return NULL;
    *skipped = (struct skipped){.key_node = {.node = {.kind = NODE_SKIPPED},
                                             .key_len = (uint16_t)change->key_len,
                                             .skip = (uint8_t)skip}};
    memcpy(skipped->key, change->key, change->key_len);
    memset(skipped->key + change->key_len, 0, NAME_PAD);
    return &skipped->key_node;
}
