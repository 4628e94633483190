#include "served.h"

#include "instance.h"
#include "switch_node.h"

#include <stdlib.h>

/* A reason is logged once, however often the key is written; what the configuration asks for is
 * none. */
static bool served_is_worth_logging(const struct key_node *old, enum skip skip)
{
    bool is_known = old && old->node.kind == NODE_SKIPPED && old->skip == skip;
    return !is_known && skip != SKIP_SWITCHES_OFF;
}

enum status served_new_skipped(const struct zone *zone, const struct change *change, enum skip skip,
                               const char *why, struct key_node **out)
{
    if (served_is_worth_logging(change->old, skip))
        log_printf(&zone->log, LOG_LEVEL_WARNING, "%.*s is not published: %s",
                   (int)(change->key_len < 300 ? change->key_len : 300), change->key,
                   *why ? why : skip_text(skip));
    struct key_node *skipped = key_node_new_skipped(change, skip);
    if (!skipped)
        return STATUS_NO_MEMORY;
    *out = skipped;
    return STATUS_OK;
}

/* What a key is in the zone. BAD_INPUT: it cannot be; *skip and *why say why. */
static enum status served_new_by_kind(struct zone *zone, const struct change *change,
                                      struct key_node **out, enum skip *skip, struct detail *why)
{
    struct key_parts parts;
    struct instance *instance = NULL;
    struct switch_node *node = NULL;
    enum status status = STATUS_BAD_INPUT;
    *skip = SKIP_BAD_KEY;
    key_split(change->key, change->key_len, &parts);
    /* One of KEY_NODE_KEPT octets stands for a longer one (zone.c): its end is a hash. */
    if (change->key_len >= KEY_NODE_KEPT || parts.kind == KEY_KIND_OTHER)
        return STATUS_BAD_INPUT;
    if (parts.kind == KEY_KIND_SERVICE) {
        status = instance_new(zone, &parts, change, &instance, skip, why);
    } else if (zone->has_switches) {
        status = switch_node_new(zone, &parts, change, &node, skip);
    } else {
        *skip = SKIP_SWITCHES_OFF;
    }
    if (status == STATUS_OK)
        *out = instance ? &instance->key : &node->key;
    return status;
}

enum status served_new(struct zone *zone, const struct change *change, struct key_node **out)
{
    struct detail why;
    enum skip skip;
    why.text[0] = '\0';
    enum status status = served_new_by_kind(zone, change, out, &skip, &why);
    if (status == STATUS_BAD_INPUT)
        status = served_new_skipped(zone, change, skip, why.text, out);
    return status;
}

void served_drop(struct zone *zone, struct key_node *key_node)
{
    if (key_node->node.kind == NODE_INSTANCE)
        instance_drop(zone, (struct instance *)key_node);
    else
        free(key_node);
}

static struct instance *served_as_instance(struct key_node *key_node)
{
    return key_node && key_node->node.kind == NODE_INSTANCE ? (struct instance *)key_node : NULL;
}

static struct switch_node *served_as_switch(struct key_node *key_node)
{
    return key_node && key_node->node.kind == NODE_SWITCH ? (struct switch_node *)key_node : NULL;
}

/* A key says whether it is a service's or a switch's, so an instance never becomes a switch: one of
 * the two swaps alone has something to do. */
enum status served_enter(struct zone *zone, struct key_node *old, struct key_node *fresh)
{
    enum status status = STATUS_OK;
    if (served_as_instance(old) || served_as_instance(fresh))
        status = instance_swap(zone, served_as_instance(old), served_as_instance(fresh));
    if (status == STATUS_OK && (served_as_switch(old) || served_as_switch(fresh)))
        status = switch_node_swap(zone, served_as_switch(old), served_as_switch(fresh));
    if (status != STATUS_OK)
        return status;
    if (old && old->node.kind == NODE_SKIPPED) {
        zone->counts.skipped[old->skip]--;
        rcu_retire(old);
    }
    if (fresh && fresh->node.kind == NODE_SKIPPED)
        zone->counts.skipped[fresh->skip]++;
    zone->has_changed = true;
    return STATUS_OK;
}
