#include "internal.h"

#include <stdlib.h>

/* A key that cannot be served: its key and why. */
struct skipped {
    struct record record;
    uint8_t key[];
};

static const uint8_t *stored_key(const struct record *record)
{
    switch (record->node.kind) {
    case NODE_SKIPPED:
        return ((const struct skipped *)record)->key;
    case NODE_INSTANCE:
        return instance_key((const struct instance *)record);
    default:
        return switch_txt((const struct switch_ *)record) +
               ((const struct switch_ *)record)->txt_len;
    }
}

/* An instance whose key follows from its name: label, and the type without its '_'. */
static size_t derive_key(const struct record *record, uint8_t *buffer)
{
    const uint8_t *label = node_name(&record->node), *type = label + 1 + label[0];
    uint8_t *at = buffer;
    memcpy(at, "/service/", 9);
    at += 9;
    memcpy(at, type + 2, type[0] - 1u);
    at += type[0] - 1u;
    *at++ = '/';
    memcpy(at, label + 1, label[0]);
    return (size_t)(at - buffer) + label[0];
}

const uint8_t *record_key(const struct record *record, uint8_t buffer[RECORD_KEY_MAX], size_t *len)
{
    if (record->key_len > 0 || record->node.kind != NODE_INSTANCE) {
        *len = record->key_len;
        return stored_key(record);
    }
    *len = derive_key(record, buffer);
    return buffer;
}

int record_compare(const struct record *a, const struct record *b)
{
    uint8_t buffer_a[RECORD_KEY_MAX], buffer_b[RECORD_KEY_MAX];
    size_t len_a, len_b;
    const uint8_t *key_a = record_key(a, buffer_a, &len_a);
    const uint8_t *key_b = record_key(b, buffer_b, &len_b);
    int order = memcmp(key_a, key_b, len_a < len_b ? len_a : len_b);
    return order ? order : (len_a > len_b) - (len_a < len_b);
}

uint64_t record_hash_key(const struct zone *zone, const char *key, size_t len)
{
    uint8_t padded[RECORD_KEY_MAX + NAME_PAD];
    memcpy(padded, key, len);
    memset(padded + len, 0, NAME_PAD);
    return name_hash(&zone->view.seed, padded, len);
}

uint64_t record_hash(const void *arg, const void *item)
{
    uint8_t buffer[RECORD_KEY_MAX];
    size_t len;
    const uint8_t *key = record_key(item, buffer, &len);
    return record_hash_key(arg, (const char *)key, len);
}

struct record *record_find(const struct zone *zone, const char *key, size_t len)
{
    uint64_t hash = record_hash_key(zone, key, len), position = hash;
    const struct record *record;
    while ((record = table_next(zone->keys.slots, hash, &position))) {
        uint8_t buffer[RECORD_KEY_MAX];
        size_t its_len;
        const uint8_t *its = record_key(record, buffer, &its_len);
        if (its_len == len && memcmp(its, key, len) == 0)
            return (struct record *)(uintptr_t)record;
    }
    return NULL;
}

enum status record_new_skipped(const char *key, size_t key_len, enum zone_skip skip,
                               struct record **out)
{
    struct skipped *skipped = malloc(sizeof(*skipped) + key_len);
    if (!skipped)
        return STATUS_NO_MEMORY;
    *skipped = (struct skipped){.record = {.node = {.kind = NODE_SKIPPED},
                                           .key_len = (uint16_t)key_len,
                                           .skip = (uint8_t)skip}};
    memcpy(skipped->key, key, key_len);
    *out = &skipped->record;
    return STATUS_OK;
}
