#include "internal.h"
#include "zone.h"

#include <stdlib.h>

/* A key that cannot be served: its key and why. */
struct skipped {
    struct record record;
    uint8_t key[];
};

static const uint8_t *record_stored_key(const struct record *record)
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
static size_t record_derive_key(const struct record *record, uint8_t *buffer)
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

const uint8_t *record_key(const struct record *record, uint8_t buffer[RECORD_KEY_SIZE], size_t *len)
{
    if (record->key_len > 0 || record->node.kind != NODE_INSTANCE) {
        *len = record->key_len;
        return record_stored_key(record);
    }
    *len = record_derive_key(record, buffer);
    return buffer;
}

int record_compare(const struct record *a, const struct record *b)
{
    uint8_t buffer_a[RECORD_KEY_SIZE], buffer_b[RECORD_KEY_SIZE];
    size_t len_a, len_b;
    const uint8_t *key_a = record_key(a, buffer_a, &len_a);
    const uint8_t *key_b = record_key(b, buffer_b, &len_b);
    int order = memcmp(key_a, key_b, len_a < len_b ? len_a : len_b);
    return order ? order : (len_a > len_b) - (len_a < len_b);
}

uint64_t record_hash_key(const struct zone *zone, const char *key, size_t len)
{
    uint8_t padded[RECORD_KEY_SIZE];
    memcpy(padded, key, len);
    return name_hash(&zone->view.seed, padded, len);
}

uint64_t record_hash(const void *arg, const void *item)
{
    const struct zone *zone = arg;
    uint8_t buffer[RECORD_KEY_SIZE];
    size_t len;
    const uint8_t *key = record_key(item, buffer, &len);
    return name_hash(&zone->view.seed, key, len);
}

struct record *record_find(const struct zone *zone, const char *key, size_t len, uint64_t hash)
{
    uint64_t position = hash;
    const struct record *record;
    while ((record = table_next(zone->keys.slots, hash, &position))) {
        uint8_t buffer[RECORD_KEY_SIZE];
        size_t its_len;
        const uint8_t *its = record_key(record, buffer, &its_len);
        if (its_len == len && memcmp(its, key, len) == 0)
            return (struct record *)(uintptr_t)record;
    }
    return NULL;
}

static enum status record_skipped_new(const struct change *told, enum zone_skip skip,
                                      struct record **out)
{
    struct skipped *skipped = malloc(sizeof(*skipped) + told->key_len + NAME_PAD);
    if (!skipped)
        return STATUS_NO_MEMORY;
    *skipped = (struct skipped){.record = {.node = {.kind = NODE_SKIPPED},
                                           .key_len = (uint16_t)told->key_len,
                                           .skip = (uint8_t)skip}};
    memcpy(skipped->key, told->key, told->key_len);
    memset(skipped->key + told->key_len, 0, NAME_PAD);
    *out = &skipped->record;
    return STATUS_OK;
}

/* What is written again and again is said once; what was asked for is not said. */
static bool record_is_worth_saying(const struct record *old, enum zone_skip skip)
{
    bool is_known = old && old->node.kind == NODE_SKIPPED && old->skip == skip;
    return !is_known && skip != ZONE_SKIP_SWITCHES_OFF;
}

enum status record_new_skipped(const struct zone *zone, const struct change *told,
                               enum zone_skip skip, const char *why, struct record **out)
{
    if (record_is_worth_saying(told->old, skip))
        log_printf(&zone->log, LOG_LEVEL_WARNING, "%.*s is not published: %s",
                   (int)(told->key_len < 300 ? told->key_len : 300), told->key,
                   *why ? why : zone_skip_text(skip));
    return record_skipped_new(told, skip, out);
}

/* What a key is in the zone. BAD_INPUT: it cannot be; *skip and *why say why. */
static enum status record_served_new(struct zone *zone, const struct change *told,
                                     struct record **out, enum zone_skip *skip, struct detail *why)
{
    struct key_parts parts;
    struct instance *instance = NULL;
    struct switch_ *switch_ = NULL;
    enum status status = STATUS_BAD_INPUT;
    *skip = ZONE_SKIP_BAD_KEY;
    key_split(told->key, told->key_len, &parts);
    if (told->key_len >= RECORD_KEY_KEPT || parts.kind == KEY_KIND_OTHER)
        return STATUS_BAD_INPUT;
    if (parts.kind == KEY_KIND_SERVICE) {
        status = instance_new(zone, &parts, told, &instance, skip, why);
    } else if (zone->has_switches) {
        status = switch_new(zone, &parts, told, &switch_, skip);
    } else {
        *skip = ZONE_SKIP_SWITCHES_OFF;
    }
    if (status == STATUS_OK)
        *out = instance ? &instance->record : &switch_->record;
    return status;
}

enum status record_new(struct zone *zone, const struct change *told, struct record **out)
{
    struct detail why;
    enum zone_skip skip;
    why.text[0] = '\0';
    enum status status = record_served_new(zone, told, out, &skip, &why);
    if (status == STATUS_BAD_INPUT)
        status = record_new_skipped(zone, told, skip, why.text, out);
    return status;
}

void record_drop(struct zone *zone, struct record *record)
{
    if (record->node.kind == NODE_INSTANCE)
        instance_drop(zone, (struct instance *)record);
    else
        free(record);
}

static struct instance *record_as_instance(struct record *record)
{
    return record && record->node.kind == NODE_INSTANCE ? (struct instance *)record : NULL;
}

static struct switch_ *record_as_switch(struct record *record)
{
    return record && record->node.kind == NODE_SWITCH ? (struct switch_ *)record : NULL;
}

enum status record_enter(struct zone *zone, struct record *old, struct record *new)
{
    enum status status = STATUS_OK;
    if (record_as_instance(old) || record_as_instance(new))
        status = chain_swap(zone, record_as_instance(old), record_as_instance(new));
    if (status == STATUS_OK && (record_as_switch(old) || record_as_switch(new)))
        status = switch_swap(zone, record_as_switch(old), record_as_switch(new));
    if (status != STATUS_OK)
        return status;
    if (old && old->node.kind == NODE_SKIPPED) {
        zone->counts.skipped[old->skip]--;
        rcu_retire(old);
    }
    if (new &&new->node.kind == NODE_SKIPPED)
        zone->counts.skipped[new->skip]++;
    zone->has_changed = true;
    return STATUS_OK;
}

void record_leave(struct zone *zone, struct record *record)
{
    enum status status = record_enter(zone, record, NULL);
    assert(status == STATUS_OK); /* removing cannot fail */
    (void)status;
}
