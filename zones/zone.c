#include "zone.h"

#include "internal.h"

#include <stdlib.h>

static_assert(offsetof(struct zone, view) == 0, "zone_view()");

/* Nodes that one key can leave pending: itself, its target, its type, its subtypes, old and new. */
#define PENDING_PER_KEY (8 + 4 * ENTRY_SUBTYPES_MAX)
#define KEY_MAX         4096 /* octets of a key that is kept whole */

static const char *const skip_texts[ZONE_SKIP_COUNT] = {[ZONE_SERVED] = "it is served",
#define ZONE_SKIP_TEXT(name, sentence) [ZONE_SKIP_##name] = sentence,
                                                        ZONE_SKIP_LIST(ZONE_SKIP_TEXT)
#undef ZONE_SKIP_TEXT
};

const char *zone_skip_text(enum zone_skip skip)
{
    return (unsigned)skip < ZONE_SKIP_COUNT ? skip_texts[skip] : "unknown reason";
}

const char *zone_domain(const struct zone *zone)
{
    return zone->domain;
}

static uint64_t hash_of_node(const void *arg, const void *item)
{
    const struct node *node = item;
    return owner_hash(arg, node_name(node), node->name_len);
}

static enum status zone_init(struct zone *zone, const struct zone_options *options,
                             struct detail *why)
{
    zone->view.record_ttl_s = options->record_ttl_s;
    zone->view.negative_ttl_s = options->negative_ttl_s;
    zone->log = options->log;
    enum status status = name_seed_init(&zone->view.seed);
    if (status == STATUS_OK)
        status = table_init(&zone->view.names, hash_of_node, zone);
    if (status == STATUS_OK)
        status = table_init(&zone->keys, record_hash, zone);
    if (status == STATUS_OK)
        status = table_init(&zone->elsewhere, target_hash_elsewhere, zone);
    if (status == STATUS_OK)
        status = owner_reserve_pending(zone, PENDING_PER_KEY + options->host_count);
    if (status == STATUS_OK)
        status = origin_init(zone, options, why);
    zone->host_wanted = options->host_wanted; /* not for the hosts of the configuration */
    zone->host_unwanted = options->host_unwanted;
    zone->arg = options->arg;
    return status;
}

enum status zone_new(const struct zone_options *options, struct zone **out, struct detail *why)
{
    struct zone *zone = calloc(1, sizeof(*zone));
    if (!zone)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    detail_set(why, STATUS_OK, "%s", status_text(STATUS_NO_MEMORY));
    enum status status = zone_init(zone, options, why);
    if (status != STATUS_OK) {
        zone_free(zone);
        return status;
    }
    *out = zone;
    return STATUS_OK;
}

static void free_node(struct node *node)
{
    switch (node->kind) {
    case NODE_LIST:
    case NODE_TYPE:
    case NODE_SUBTYPE:
        set_free((struct set *)node);
        break;
    case NODE_ADDRESS:
    case NODE_HOST:
        target_free((struct target *)node);
        break;
    case NODE_INSTANCE:
    case NODE_SWITCH:
        break; /* with the keys */
    default:
        free(node);
    }
}

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    struct node *node;
    uint64_t position = 0;
    if (zone->view.names.slots) {
        zone_commit(zone, 0);
        while ((node = (struct node *)(uintptr_t)table_each(&zone->view.names, &position)))
            free_node(node);
    }
    position = 0;
    while (zone->elsewhere.slots &&
           (node = (struct node *)(uintptr_t)table_each(&zone->elsewhere, &position)))
        free_node(node);
    position = 0;
    while (zone->keys.slots &&
           (node = (struct node *)(uintptr_t)table_each(&zone->keys, &position))) {
        if (node->kind == NODE_INSTANCE)
            instance_free((struct instance *)node);
        else
            free(node);
    }
    table_clear(&zone->view.names);
    table_clear(&zone->elsewhere);
    table_clear(&zone->keys);
    origin_clear(zone);
    free(zone->pending);
    rcu_barrier_all();
    free(zone);
}

/* A key too long to keep stands by its beginning and a hash of the whole. */
static size_t short_key(const struct zone *zone, const char **key, size_t len,
                        char buffer[KEY_MAX + 1])
{
    if (len <= KEY_MAX)
        return len;
    uint64_t hash = len;
    for (size_t at = 0; at < len; at += KEY_MAX) {
        size_t left = len - at < KEY_MAX ? len - at : KEY_MAX;
        hash = name_mix(hash ^ zone->view.seed.word[2], record_hash_key(zone, *key + at, left));
    }
    memcpy(buffer, *key, KEY_MAX - 8);
    memcpy(buffer + KEY_MAX - 8, &hash, 8);
    *key = buffer;
    return KEY_MAX;
}

/* What a key is in the zone. BAD_INPUT: it cannot be; *skip and *why say why. */
static enum status served_new(struct zone *zone, const char *key, size_t key_len, const char *value,
                              size_t value_len, uint32_t ttl_s, struct record **out,
                              enum zone_skip *skip, struct detail *why)
{
    struct tree_parts parts;
    struct instance *instance = NULL;
    struct switch_ *switch_ = NULL;
    enum status status = STATUS_BAD_INPUT;
    *skip = ZONE_SKIP_BAD_KEY;
    tree_split(key, key_len, &parts);
    if (key_len >= KEY_MAX || parts.kind == TREE_KIND_OTHER)
        return STATUS_BAD_INPUT;
    if (parts.kind == TREE_KIND_SERVICE) {
        status =
            instance_new(zone, &parts, key, key_len, value, value_len, ttl_s, &instance, skip, why);
    } else if (zone->has_switches) {
        status = switch_new(parts.name, parts.name_len, key, key_len, value, value_len, ttl_s, zone,
                            &switch_, skip);
    } else {
        *skip = ZONE_SKIP_SWITCHES_OFF;
    }
    if (status == STATUS_OK)
        *out = instance ? &instance->record : &switch_->record;
    return status;
}

/* What is written again and again is said once; what was asked for is not said. */
static bool is_worth_saying(const struct record *old, enum zone_skip skip)
{
    bool is_known = old && old->node.kind == NODE_SKIPPED && old->skip == skip;
    return !is_known && skip != ZONE_SKIP_SWITCHES_OFF;
}

static enum status record_new(struct zone *zone, const char *key, size_t key_len, const char *value,
                              size_t value_len, uint32_t ttl_s, const struct record *old,
                              struct record **out)
{
    struct detail why = {{0}};
    enum zone_skip skip;
    enum status status = served_new(zone, key, key_len, value, value_len, ttl_s, out, &skip, &why);
    if (status != STATUS_BAD_INPUT)
        return status;
    if (is_worth_saying(old, skip))
        log_printf(&zone->log, LOG_LEVEL_WARNING, "%.*s is not published: %s",
                   (int)(key_len < 300 ? key_len : 300), key,
                   why.text[0] ? why.text : zone_skip_text(skip));
    return record_new_skipped(key, key_len, skip, out);
}

static void drop_new(struct zone *zone, struct record *record)
{
    if (record->node.kind == NODE_INSTANCE)
        instance_drop(zone, (struct instance *)record);
    else
        free(record);
}

static struct instance *as_instance(struct record *record)
{
    return record && record->node.kind == NODE_INSTANCE ? (struct instance *)record : NULL;
}

static struct switch_ *as_switch(struct record *record)
{
    return record && record->node.kind == NODE_SWITCH ? (struct switch_ *)record : NULL;
}

/* Let the names be those of `new` instead of `old`; either may be NULL. */
static enum status swap_names(struct zone *zone, struct record *old, struct record *new)
{
    enum status status = STATUS_OK;
    if (as_instance(old) || as_instance(new))
        status = instance_swap(zone, as_instance(old), as_instance(new));
    if (status == STATUS_OK && (as_switch(old) || as_switch(new)))
        status = switch_swap(zone, as_switch(old), as_switch(new));
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

static uint32_t ttl_of(const struct zone *zone, int64_t lease)
{
    uint32_t ttl_s = lease_ttl_of_id(lease);
    return lease == 0 || ttl_s > zone->view.record_ttl_s ? zone->view.record_ttl_s : ttl_s;
}

static enum status replace_record(struct zone *zone, uint64_t hash, struct record *old,
                                  struct record *new)
{
    enum status status = old ? STATUS_OK : table_insert(&zone->keys, hash, new);
    if (status != STATUS_OK)
        return status;
    status = swap_names(zone, old, new);
    if (status != STATUS_OK) {
        if (!old)
            table_remove(&zone->keys, hash, new);
        return status;
    }
    if (old)
        table_replace(&zone->keys, hash, old, new);
    else
        zone->counts.keys++;
    return STATUS_OK;
}

enum status zone_put(struct zone *zone, const char *key, size_t key_len, const char *value,
                     size_t value_len, int64_t mod_revision, int64_t lease)
{
    char buffer[KEY_MAX + 1];
    key_len = short_key(zone, &key, key_len, buffer);
    struct record *old = record_find(zone, key, key_len), *new = NULL;
    if (old && old->mod_revision == mod_revision) {
        old->mark = zone->mark & 63;
        return STATUS_OK;
    }
    enum status status = owner_reserve_pending(zone, PENDING_PER_KEY);
    if (status == STATUS_OK)
        status = record_new(zone, key, key_len, value, value_len, ttl_of(zone, lease), old, &new);
    if (status != STATUS_OK || !new)
        return status;
    new->mod_revision = mod_revision;
    new->mark = zone->mark & 63;
    status = replace_record(zone, record_hash_key(zone, key, key_len), old, new);
    if (status != STATUS_OK)
        drop_new(zone, new);
    return status;
}

static void remove_record(struct zone *zone, struct record *record)
{
    if (owner_reserve_pending(zone, PENDING_PER_KEY) != STATUS_OK)
        zone_commit(zone, 0); /* empties the list, which was made with room for one key */
    table_remove(&zone->keys, record_hash(zone, record), record);
    zone->counts.keys--;
    (void)swap_names(zone, record, NULL); /* removing cannot fail */
}

void zone_remove(struct zone *zone, const char *key, size_t key_len)
{
    char buffer[KEY_MAX + 1];
    key_len = short_key(zone, &key, key_len, buffer);
    struct record *record = record_find(zone, key, key_len);
    if (record)
        remove_record(zone, record);
}

void zone_load_begin(struct zone *zone)
{
    zone->is_loading = true;
    if (++zone->mark < 64)
        return;
    zone->mark = 1;
    uint64_t position = 0;
    struct record *record;
    while ((record = (struct record *)(uintptr_t)table_each(&zone->keys, &position)))
        record->mark = 0;
}

void zone_load_end(struct zone *zone)
{
    zone->is_loading = false;
    uint64_t position = 0;
    struct record *record;
    const struct table_slots *slots = zone->keys.slots;
    while ((record = (struct record *)(uintptr_t)table_each(&zone->keys, &position))) {
        if (record->mark == zone->mark)
            continue;
        remove_record(zone, record);
        if (slots != zone->keys.slots) { /* the table was copied: what is left is elsewhere */
            slots = zone->keys.slots;
            position = 0;
        }
    }
}

static void settle(struct zone *zone, bool sets)
{
    for (size_t i = 0; i < zone->pending_count; i++) {
        struct node *node = zone->pending[i];
        if (!node)
            continue;
        bool is_set = node->kind == NODE_TYPE;
        if (is_set != sets)
            continue;
        zone->pending[i] = NULL;
        if (node->kind == NODE_INSTANCE)
            instance_settle(zone, (struct instance *)node);
        else if (is_set || node->kind == NODE_SUBTYPE)
            set_settle(zone, (struct set *)node);
        else
            target_settle(zone, (struct target *)node);
    }
}

/* RFC 1982: later by sequence-space arithmetic. */
static bool is_later(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

static void set_serial(struct zone *zone, int64_t revision, bool was_changed)
{
    uint32_t old = zone->view.serial, serial = (uint32_t)revision;
    if (revision > 0)
        zone->counts.revision = revision;
    bool is_first = revision > 0 && !zone->has_served;
    if (!was_changed && !is_first)
        return;
    if (revision <= 0 || (zone->has_served && !is_later(serial, old)))
        serial = old + 1;
    if (serial == 0)
        serial = 1;
    zone->has_served = zone->has_served || revision > 0;
    __atomic_store_n(&zone->view.serial, serial, __ATOMIC_RELAXED);
}

void zone_commit(struct zone *zone, int64_t revision)
{
    zone->has_changed = zone->has_changed || zone->dirty;
    set_publish_all(zone);
    settle(zone, false);
    settle(zone, true); /* types after their subtypes, whose parents they are */
    zone->pending_count = 0;
    set_serial(zone, revision, zone->has_changed && !zone->is_loading);
    if (!zone->is_loading) /* the serial tells of a load as a whole */
        zone->has_changed = false;
    rcu_collect();
}

void zone_set_host(struct zone *zone, const char *name, const struct resolver_address *addresses,
                   size_t count, uint32_t ttl_s)
{
    if (!target_set_host(zone, name, addresses, count, ttl_s))
        return;
    zone->has_changed = true;
    zone_commit(zone, 0);
}

void zone_counts(const struct zone *zone, struct zone_counts *out)
{
    *out = zone->counts;
    out->serial = zone->view.serial;
    out->bytes =
        table_bytes(&zone->view.names) + table_bytes(&zone->keys) + table_bytes(&zone->elsewhere);
}
