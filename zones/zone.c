#include "zone.h"

#include "apex.h"
#include "instance.h"
#include "names.h"
#include "registry/base/siphash.h"
#include "registry/lease_id.h"
#include "served.h"
#include "service_type.h"
#include "target.h"

#include <stdlib.h>

static_assert(offsetof(struct zone, view) == 0, "zone_view()");

/* Nodes whose reaping one key can put off: itself, its target, its type, its subtypes, old and new.
 */
#define REAPS_PER_KEY (8 + 4 * ENTRY_SUBTYPES_MAX)
#define REAPS_MANY    8192 /* at the end of a load: what goes is freed as it goes */

const char *zone_domain(const struct zone *zone)
{
    return zone->domain;
}

static enum status zone_init(struct zone *zone, const struct zone_options *options,
                             struct detail *why)
{
    zone->view.record_ttl_s = options->record_ttl_s;
    zone->view.negative_ttl_s = options->negative_ttl_s;
    zone->log = options->log;
    enum status status = name_seed_init(&zone->view.seed);
    if (status == STATUS_OK)
        status = ptr_table_init(&zone->view.names, names_hash, zone);
    if (status == STATUS_OK)
        status = ptr_table_init(&zone->keys, key_node_hash, zone);
    if (status == STATUS_OK)
        status = ptr_table_init(&zone->elsewhere, names_hash, zone);
    if (status == STATUS_OK)
        status = names_reserve_reaps(zone, REAPS_PER_KEY + options->host_count);
    if (status == STATUS_OK)
        status = apex_init(zone, options, why);
    zone->host_added = options->host_added; /* not for the hosts of the configuration */
    zone->host_removed = options->host_removed;
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

/* Of the table of names. */
static void zone_free_node(struct node *node)
{
    switch (node->kind) {
    case NODE_LIST:
    case NODE_TYPE:
    case NODE_SUBTYPE:
        service_type_free((struct service_type *)node);
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

static void zone_free_key(struct node *node)
{
    if (node->kind == NODE_INSTANCE)
        instance_free((struct instance *)node);
    else
        free(node);
}

/* A zone that could not be made whole may lack the table. */
static void zone_free_table(struct ptr_table *table, void (*free_node)(struct node *node))
{
    struct node *node;
    uint64_t position = 0;
    while (table->slots && (node = ptr_table_each(table, &position)))
        free_node(node);
    ptr_table_clear(table);
}

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    if (zone->view.names.slots)
        zone_commit(zone, 0); /* what is drafted and dying needs no rules of its own then */
    zone_free_table(&zone->view.names, zone_free_node);
    zone_free_table(&zone->elsewhere, zone_free_node);
    zone_free_table(&zone->keys, zone_free_key);
    free(zone->view.ns);
    free(zone->to_reap);
    rcu_barrier_all();
    free(zone);
}

/* A key too long to keep stands by its beginning and a hash of the whole. */
static size_t zone_short_key(const struct zone *zone, const char **key, size_t len,
                             char buffer[KEY_NODE_KEPT + 1])
{
    if (len <= KEY_NODE_KEPT)
        return len;
    uint64_t hash = len;
    for (size_t at = 0; at < len; at += KEY_NODE_KEPT) {
        size_t left = len - at < KEY_NODE_KEPT ? len - at : KEY_NODE_KEPT;
        hash = name_mix(hash ^ zone->view.seed.word[2], key_node_hash_key(zone, *key + at, left));
    }
    memcpy(buffer, *key, KEY_NODE_KEPT - 8);
    memcpy(buffer + KEY_NODE_KEPT - 8, &hash, 8);
    *key = buffer;
    return KEY_NODE_KEPT;
}

static uint32_t zone_ttl_of(const struct zone *zone, int64_t lease)
{
    /* From the lease's number, so that no key costs a question to etcd. */
    uint32_t ttl_s = lease_id_ttl_s(lease);
    return lease == 0 || ttl_s > zone->view.record_ttl_s ? zone->view.record_ttl_s : ttl_s;
}

/* Let `fresh` stand for its key. It is taken over, or dropped. */
static enum status zone_replace_key(struct zone *zone, uint64_t hash, const struct change *change,
                                    struct key_node *fresh)
{
    struct key_node *old = change->old;
    fresh->content = change->content;
    fresh->mark = zone->mark & 63;
    enum status status = old ? STATUS_OK : ptr_table_insert(&zone->keys, hash, fresh);
    if (status == STATUS_OK) {
        status = served_enter(zone, old, fresh);
        if (status != STATUS_OK && !old)
            ptr_table_remove(&zone->keys, hash, fresh);
    }
    if (status != STATUS_OK) {
        served_drop(zone, fresh);
        return status;
    }
    if (old)
        ptr_table_replace(&zone->keys, hash, old, fresh);
    else
        zone->counts.keys++;
    zone->changes++;
    return STATUS_OK;
}

uint64_t zone_change_count(const struct zone *zone)
{
    return zone->changes;
}

bool zone_is_partial(const struct zone *zone)
{
    return view_is_partial(&zone->view);
}

/* A key could not be told. What was known of it is better than nothing: a load must not sweep it.
 */
static void zone_become_partial(struct zone *zone, struct key_node *old)
{
    if (old)
        old->mark = zone->mark & 63;
    zone->is_whole = false;
    __atomic_store_n(&zone->view.is_partial, true, __ATOMIC_RELEASE);
}

/* A load that lost nothing has been published. Who looked a name up before that, and did not find it,
 * may not yet have read that the zone was partial, and would deny the name: the control thread waits
 * for these, once after a shortage, so that no answer has anything to read for it. */
static void zone_become_whole(struct zone *zone)
{
    if (zone->is_loading || !zone->is_whole || !zone_is_partial(zone))
        return;
    rcu_wait();
    __atomic_store_n(&zone->view.is_partial, false, __ATOMIC_RELEASE);
}

/* What tells that a key is as it was. Its mod_revision would do within one history of a store. But one
 * that was wiped and filled again, or restored, gives the same revisions to other values, and what
 * comes from a copy on disk is of no history that is known. A copy of the value would double the
 * memory of a million keys; a keyed hash takes the place of the revision, and by chance nothing
 * passes for unchanged. */
static uint64_t zone_content(const struct zone *zone, const char *value, size_t value_len,
                             int64_t mod_revision, int64_t lease)
{
    uint64_t hash;
    static_assert(sizeof(zone->view.seed.word) >= 16, "a key of siphash");
    siphash((const uint8_t *)zone->view.seed.word, value, value_len, (uint8_t *)&hash);
    hash = name_hash_pair(&zone->view.seed, hash, (uint64_t)mod_revision);
    return name_hash_pair(&zone->view.seed, hash, (uint64_t)lease);
}

enum status zone_put(struct zone *zone, const char *key, size_t key_len, const char *value,
                     size_t value_len, int64_t mod_revision, int64_t lease)
{
    char buffer[KEY_NODE_KEPT + 1];
    key_len = zone_short_key(zone, &key, key_len, buffer);
    uint64_t hash = key_node_hash_key(zone, key, key_len);
    struct key_node *old = key_node_find(zone, key, key_len, hash), *fresh = NULL;
    uint64_t content = zone_content(zone, value, value_len, mod_revision, lease);
    /* A key that is as it was is put in every load: there it costs a look-up and its mark. */
    bool may_fit_now = old && old->skip == SKIP_CROWDED_NAME; /* the name was full */
    if (old && old->content == content && !may_fit_now) {
        old->mark = zone->mark & 63;
        return STATUS_OK;
    }
    struct change change = {key, value, key_len, value_len, content, zone_ttl_of(zone, lease), old};
    enum status status = names_reserve_reaps(zone, REAPS_PER_KEY);
    if (status == STATUS_OK)
        status = served_new(zone, &change, &fresh);
    if (status == STATUS_OK)
        status = zone_replace_key(zone, hash, &change, fresh);
    if (status == STATUS_TOO_LARGE) {
        status = served_new_skipped(zone, &change, SKIP_CROWDED_NAME, "", &fresh);
        if (status == STATUS_OK)
            status = zone_replace_key(zone, hash, &change, fresh);
    }
    if (status != STATUS_OK)
        zone_become_partial(zone, old);
    return status;
}

static void zone_remove_key(struct zone *zone, uint64_t hash, struct key_node *key_node)
{
    if (names_reserve_reaps(zone, REAPS_PER_KEY) != STATUS_OK)
        zone_commit(zone, 0); /* empties the list, which was made with room for one key */
    ptr_table_remove(&zone->keys, hash, key_node);
    zone->counts.keys--;
    zone->changes++;
    enum status status = served_enter(zone, key_node, NULL);
    assert(status == STATUS_OK); /* without a fresh one */
    (void)status;
}

void zone_remove(struct zone *zone, const char *key, size_t key_len)
{
    char buffer[KEY_NODE_KEPT + 1];
    key_len = zone_short_key(zone, &key, key_len, buffer);
    uint64_t hash = key_node_hash_key(zone, key, key_len);
    struct key_node *key_node = key_node_find(zone, key, key_len, hash);
    if (key_node)
        zone_remove_key(zone, hash, key_node);
}

void zone_load_begin(struct zone *zone)
{
    zone->is_loading = zone->is_whole = true;
    if (++zone->mark < 64)
        return;
    zone->mark = 1;
    uint64_t position = 0;
    struct key_node *key_node;
    while ((key_node = ptr_table_each(&zone->keys, &position)))
        key_node->mark = 0;
}

static void zone_report_swept(const struct key_node *key_node, zone_swept *swept, void *arg)
{
    uint8_t buffer[KEY_NODE_SIZE];
    if (!swept)
        return;
    struct name_padded key = key_node_key(key_node, buffer);
    if (key.len < KEY_NODE_KEPT)
        swept(arg, (const char *)key.octets, key.len);
}

/* The removal sweep of a load. A load reports what there is, not what has gone. To clear the
 * zone and fill it again would make every name NXDOMAIN for a while, and a second zone beside the
 * first would take twice the memory; so a load goes into the zone that is being served. Each put
 * marks its key with the load's number, and a key that is the same costs no more than that. At the
 * end whatever bears another mark was not in the store, and goes the way of any removed key.
 *
 * Until then nothing is removed, so a load that breaks off leaves the zone as good as it was. Marks
 * count to 63 and then begin anew, all of them cleared, so that none is mistaken for a recent one.
 *
 * Removing may complete a copy of the table (ptr_table.c): then the walk begins again in the new
 * one, and finds the marked keys alone. */
void zone_load_end(struct zone *zone, zone_swept *swept, void *arg)
{
    uint64_t position = 0;
    struct key_node *key_node;
    const struct ptr_table_slots *slots = zone->keys.slots;
    while ((key_node = ptr_table_each(&zone->keys, &position))) {
        if (key_node->mark == zone->mark)
            continue;
        zone_report_swept(key_node, swept, arg);
        zone_remove_key(zone, key_node_hash(zone, key_node), key_node);
        if (zone->to_reap_count > REAPS_MANY)
            zone_commit(zone, 0);
        if (slots != zone->keys.slots) { /* the table was copied: what is left is elsewhere */
            slots = zone->keys.slots;
            position = 0;
        }
    }
    zone->is_loading = false;
}

static void zone_reap(struct zone *zone, bool types)
{
    for (size_t i = 0; i < zone->to_reap_count; i++) {
        struct node *node = zone->to_reap[i];
        if (!node)
            continue;
        bool is_type = node->kind == NODE_TYPE;
        if (is_type != types)
            continue;
        zone->to_reap[i] = NULL;
        if (node->kind == NODE_INSTANCE)
            instance_reap(zone, (struct instance *)node);
        else if (is_type || node->kind == NODE_SUBTYPE)
            service_type_reap(zone, (struct service_type *)node);
        else
            target_reap(zone, (struct target *)node);
    }
}

/* RFC 1982: later by sequence-space arithmetic. */
static bool zone_is_later(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

/* The store's revision, so that servers agree on it. Addresses of hosts change without one, and an etcd
 * that was restored may be behind: then it is one more than before, as it must not fall.
 *
 * It comes last: who has seen it finds all that it stands for. Until then, for as long as a group of
 * changes or a load takes, answers are newer than the serial that is shown beside them. No secondary
 * is misled: it goes by the serial alone, and so asks again after this; and what it is then sent is
 * one state, with its own serial, since a transfer is a copy that the control thread makes, and not
 * between a change and the end of its group (cli/serve/xfr_child.h). */
static void zone_set_serial(struct zone *zone, int64_t revision, bool was_changed)
{
    uint32_t old = zone->view.serial, serial = (uint32_t)revision;
    if (revision > 0)
        zone->counts.revision = revision;
    bool is_first = revision > 0 && !zone->has_served;
    if (!was_changed && !is_first)
        return;
    if (revision <= 0 || (zone->has_served && !zone_is_later(serial, old)))
        serial = old + 1;
    if (serial == 0)
        serial = 1;
    zone->has_served = zone->has_served || revision > 0;
    rcu_publish(zone->view.serial, serial);
}

void zone_commit(struct zone *zone, int64_t revision)
{
    zone->has_changed = zone->has_changed || zone->dirty;
    service_type_publish_all(zone);
    zone_reap(zone, false);
    zone_reap(zone, true); /* types after their subtypes, whose parents they are */
    zone->to_reap_count = 0;
    zone_set_serial(zone, revision, zone->has_changed && !zone->is_loading);
    if (!zone->is_loading) /* a load changes the serial once, at its end */
        zone->has_changed = false;
    if (revision > 0)
        zone_become_whole(zone);
    rcu_collect();
}

void zone_raise_serial(struct zone *zone, uint32_t serial)
{
    if (zone_is_later(serial, zone->view.serial))
        rcu_publish(zone->view.serial, serial);
}

enum status zone_set_host(struct zone *zone, const char *name,
                          const struct resolver_address *addresses, size_t count, uint32_t ttl_s)
{
    bool is_in_group = zone->has_changed; /* whose commit covers this, too */
    bool is_change = false;
    enum status status = target_set_host(zone, name, addresses, count, ttl_s, &is_change);
    if (!is_change)
        return status;
    zone->has_changed = true;
    if (!is_in_group)
        zone_commit(zone, 0);
    return STATUS_OK;
}

void zone_counts(const struct zone *zone, struct zone_counts *out)
{
    *out = zone->counts;
    out->serial = zone->view.serial;
    out->bytes = ptr_table_bytes(&zone->view.names) + ptr_table_bytes(&zone->keys) +
                 ptr_table_bytes(&zone->elsewhere);
}
