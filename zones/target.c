#include "target.h"

#include "names.h"
#include "zones/name/label.h"

#include <stdlib.h>
#include <strings.h>

/* Two tables. A target in the zone is a name that can be asked for, and stands in the table of names.
 * A host elsewhere is not ours to answer for, yet its instances share a node as well: for its users
 * are counted, and the addresses that are looked up for it are part of host views. It stands in
 * zone.elsewhere, which readers do not know: they come to it from its instances alone. */

/* Lengths need no check: address_parse() takes labels of at most 63 octets, 253 in all with their
 * dots, which is 255 in wire form. */
size_t target_host_wire(const struct address *location, uint8_t out[NAME_MAX_LEN])
{
    size_t len = 0, host_len = location->host_len;
    for (size_t i = 0; i < host_len;) {
        const char *dot = memchr(location->host + i, '.', host_len - i);
        size_t label = dot ? (size_t)(dot - (location->host + i)) : host_len - i;
        out[len++] = (uint8_t)label;
        memcpy(out + len, location->host + i, label);
        len += label;
        i += label + 1;
    }
    if (location->is_dotted)
        out[len++] = 0;
    return len;
}

static struct target *target_find(const struct zone *zone, struct name_padded name,
                                  bool is_elsewhere)
{
    return (struct target *)names_find_in(zone, is_elsewhere ? &zone->elsewhere : &zone->view.names,
                                          name);
}

/* The name below the zone: "10-1-2-3.addr" or "baz.host". */
static size_t target_inside_name(const struct address *location, uint8_t name[NAME_MAX_LEN])
{
    size_t len;
    if (location->kind == HOST_KIND_NAME) {
        len = target_host_wire(location, name);
        memcpy(name + len, "\4host", 5);
        return len + 5;
    }
    struct label label;
    label_address(location->address, location->kind == HOST_KIND_IPV4 ? 4 : 16, &label);
    name[0] = label.len;
    memcpy(name + 1, label.octets, label.len);
    len = 1u + label.len;
    memcpy(name + len, "\4addr", 5);
    return len + 5;
}

/* The name of a host that is absolute ends in the root label; that of a dotless one is relative, to
 * the zone or to the host domain. */
static bool target_is_dotless(const struct target *target)
{
    const uint8_t *name = node_name(&target->node);
    return target->node.kind == NODE_HOST && name[target->node.name_len - 1] != 0;
}

/* Folded, since the registry's "baz" and "BAZ" are one target, and one host to look up. Those of
 * the configuration are not looked up at all. */
static enum status target_notify_host(struct zone *zone, const struct target *target, bool is_added)
{
    bool is_wanted = is_added ? zone->host_added != NULL : zone->host_removed != NULL;
    if (!is_wanted || target->is_fixed || !target_is_dotless(target))
        return STATUS_OK;
    const uint8_t *name = node_name(&target->node);
    char text[NAME_LABEL_MAX + 1];
    name_fold_exact((uint8_t *)text, name + 1, name[0]);
    text[name[0]] = '\0';
    if (is_added)
        return zone->host_added(zone->arg, text);
    zone->host_removed(zone->arg, text);
    return STATUS_OK;
}

/* "addr" and "host" are always there. */
static enum status target_enter(struct zone *zone, struct target *target)
{
    return target->is_elsewhere
               ? ptr_table_insert(&zone->elsewhere, names_hash(zone, target), target)
               : names_add(zone, &target->node);
}

static void target_count_target(struct zone *zone, const struct target *target, bool is_more)
{
    uint64_t one = is_more ? 1 : (uint64_t)-1;
    if (target->node.kind == NODE_ADDRESS)
        zone->counts.addresses += one;
    if (!target_is_dotless(target))
        return;
    zone->counts.hosts += one;
    if (!target->addresses)
        zone->counts.hosts_without_address += one;
}

static enum status target_make(struct zone *zone, const struct address *location,
                               const uint8_t *name, size_t len, bool is_elsewhere,
                               struct target **out)
{
    bool is_host = location->kind == HOST_KIND_NAME;
    struct target *target =
        names_new(is_host ? NODE_HOST : NODE_ADDRESS, sizeof(*target), name, len, 0);
    if (!target)
        return STATUS_NO_MEMORY;
    target->is_elsewhere = is_elsewhere;
    target->ttl_s = target->resolved_ttl_s = zone->view.record_ttl_s;
    if (!is_host) {
        target->family = location->kind == HOST_KIND_IPV4 ? 4 : 6;
        memcpy(target->address, location->address, target->family == 4 ? 4 : 16);
    }
    enum status status = target_notify_host(zone, target, true);
    if (status == STATUS_OK && (status = target_enter(zone, target)) != STATUS_OK)
        (void)target_notify_host(zone, target, false);
    if (status != STATUS_OK) {
        free(target);
        return status;
    }
    target_count_target(zone, target, true);
    target->is_queued = true;
    names_defer_reap(zone, &target->node);
    *out = target;
    return STATUS_OK;
}

bool target_is_address(const struct target *target, const struct address *location)
{
    unsigned family = location->kind == HOST_KIND_IPV4 ? 4 : 6;
    return location->kind != HOST_KIND_NAME && target->family == family &&
           memcmp(target->address, location->address, family == 4 ? 4 : 16) == 0;
}

/* "10-1-2-3" for 10.1.2.3: the label that stands for the address that it spells. It is read with dots,
 * then with colons, and compared with what we would write, since a label in any other spelling is a
 * name that we do not have. */
static bool target_read_address_label(const uint8_t *wire, struct address *location)
{
    char text[NAME_LABEL_MAX + 1];
    struct label label;
    name_fold_exact((uint8_t *)text, wire + 1, wire[0]);
    text[wire[0]] = '\0';
    for (unsigned i = 0; i < 2; i++) {
        for (char *at = text; *at; at++)
            if (*at == '-' || *at == '.')
                *at = i == 0 ? '.' : ':';
        if (!address_parse_ip(text, wire[0], location))
            continue;
        label_address(location->address, location->kind == HOST_KIND_IPV4 ? 4 : 16, &label);
        return label.len == wire[0] &&
               strncasecmp((const char *)label.octets, (const char *)wire + 1, label.len) == 0;
    }
    return false;
}

static bool target_ends_in(const uint8_t *wire, size_t len, const uint8_t *tail, size_t tail_len)
{
    size_t first = 1u + wire[0];
    return len == first + tail_len &&
           strncasecmp((const char *)wire + first, (const char *)tail, tail_len) == 0;
}

/* A name in full that is one of ours, "baz.host.<zone>" or "10-1-2-3.addr.<zone>", is the same
 * target as "baz" or 10.1.2.3. */
static struct address target_own_name(const struct zone *zone, const struct address *location)
{
    struct address own = *location;
    uint8_t wire[NAME_MAX_LEN], addr[NAME_MAX_LEN + 5];
    if (location->kind != HOST_KIND_NAME || !location->is_dotted)
        return own;
    size_t len = target_host_wire(location, wire);
    memcpy(addr, "\4addr", 5);
    memcpy(addr + 5, zone->view.wire.octets, zone->view.wire.len);
    if (target_ends_in(wire, len, zone->view.host.octets, zone->view.host.len)) {
        own.is_dotted = false;
        own.host_len = wire[0];
    } else if (target_ends_in(wire, len, addr, zone->view.wire.len + 5u) &&
               !target_read_address_label(wire, &own)) {
        own = *location;
    }
    return own;
}

enum status target_get(struct zone *zone, const struct address *location, struct target **out)
{
    uint8_t name[NAME_MAX_LEN + 5 + NAME_PAD];
    struct address own = target_own_name(zone, location);
    bool is_elsewhere = own.kind == HOST_KIND_NAME && (own.is_dotted || !zone->host_is_inside);
    size_t len = is_elsewhere ? target_host_wire(&own, name) : target_inside_name(&own, name);
    struct target *target = target_find(zone, (struct name_padded){name, len}, is_elsewhere);
    if (!target)
        return target_make(zone, &own, name, len, is_elsewhere, out);
    *out = target;
    return STATUS_OK;
}

/* One word that stands for itself: readers may see it a moment before or after what it goes
 * with. */
static void target_set_ttl(struct zone *zone, struct target *target)
{
    uint32_t ttl_s = ttl_counts_min(&target->ttls, zone->view.record_ttl_s);
    if (target->resolved_ttl_s < ttl_s)
        ttl_s = target->resolved_ttl_s; /* a host's addresses may age sooner than any lease */
    __atomic_store_n(&target->ttl_s, ttl_s, __ATOMIC_RELAXED);
}

enum status target_add_user(struct zone *zone, struct target *target, uint32_t ttl_s)
{
    enum status status = ttl_counts_add(&target->ttls, ttl_s, zone->view.record_ttl_s);
    if (status != STATUS_OK)
        return status;
    target->users++;
    target_set_ttl(zone, target);
    return STATUS_OK;
}

void target_remove_user(struct zone *zone, struct target *target, uint32_t ttl_s)
{
    ttl_counts_remove(&target->ttls, ttl_s, zone->view.record_ttl_s);
    target_set_ttl(zone, target);
    if (--target->users == 0 && !target->is_queued) {
        target->is_queued = true;
        names_defer_reap(zone, &target->node);
    }
}

void target_free(struct target *target)
{
    ttl_counts_clear(&target->ttls);
    if (target->node.kind == NODE_HOST)
        free(target->addresses);
    free(target);
}

void target_reap(struct zone *zone, struct target *target)
{
    target->is_queued = false;
    if (target->users > 0)
        return;
    (void)target_notify_host(zone, target, false);
    target_count_target(zone, target, false);
    ttl_counts_clear(&target->ttls);
    if (target->node.kind == NODE_HOST)
        rcu_retire(target->addresses);
    if (!target->is_elsewhere) {
        names_remove(zone, &target->node);
        return;
    }
    ptr_table_remove(&zone->elsewhere, names_hash(zone, target), target);
    rcu_retire(target);
}

/* The list is sorted: IPv4 comes first. */
static struct node_addresses *target_addresses_new(const struct resolver_address *list,
                                                   size_t count)
{
    size_t v4 = 0;
    while (v4 < count && list[v4].family == AF_INET)
        v4++;
    struct node_addresses *all = malloc(sizeof(*all) + v4 * 4 + (count - v4) * 16);
    if (!all)
        return NULL;
    *all = (struct node_addresses){(uint16_t)v4, (uint16_t)(count - v4)};
    uint8_t *at = all->octets;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, list[i].octets, i < v4 ? 4 : 16);
        at += i < v4 ? 4 : 16;
    }
    return all;
}

static bool target_is_same(const struct node_addresses *a, const struct node_addresses *b)
{
    if (!a || !b)
        return a == b;
    return a->v4_count == b->v4_count && a->v6_count == b->v6_count &&
           memcmp(a->octets, b->octets, a->v4_count * 4u + a->v6_count * 16u) == 0;
}

/* Sorted and without duplicates, so that the same addresses in another order are no change. */
static size_t target_sort_addresses(struct resolver_address *list,
                                    const struct resolver_address *from, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct resolver_address one = {.family = from[i].family};
        memcpy(one.octets, from[i].octets, one.family == AF_INET ? 4 : 16);
        size_t at = 0;
        int order = 1;
        while (at < kept && (order = memcmp(&list[at], &one, sizeof(one))) < 0)
            at++;
        if (at < kept && order == 0)
            continue;
        memmove(list + at + 1, list + at, (kept - at) * sizeof(*list));
        list[at] = one;
        kept++;
    }
    return kept;
}

#define ADDRESSES_MAX 64 /* of one host; more are left out */

static enum status target_set_addresses(struct zone *zone, struct target *target,
                                        const struct resolver_address *addresses, size_t count,
                                        bool *is_change)
{
    struct resolver_address list[ADDRESSES_MAX + 1];
    count = target_sort_addresses(list, addresses, count < ADDRESSES_MAX ? count : ADDRESSES_MAX);
    struct node_addresses *old = target->addresses, *fresh = NULL;
    if (count && !(fresh = target_addresses_new(list, count)))
        return STATUS_NO_MEMORY; /* the last good result is kept */
    *is_change = !target_is_same(old, fresh);
    if (!*is_change) {
        free(fresh);
        return STATUS_OK;
    }
    target_count_target(zone, target, false);
    rcu_publish(target->addresses, fresh);
    target_count_target(zone, target, true);
    rcu_retire(old);
    return STATUS_OK;
}

static struct target *target_find_host(struct zone *zone, const char *name)
{
    size_t len = strlen(name);
    uint8_t wire[NAME_LABEL_MAX + 6 + NAME_PAD];
    if (len == 0 || len > NAME_LABEL_MAX)
        return NULL;
    wire[0] = (uint8_t)len;
    memcpy(wire + 1, name, len);
    memcpy(wire + 1 + len, "\4host", 5);
    size_t wire_len = zone->host_is_inside ? len + 6 : len + 1;
    return target_find(zone, (struct name_padded){wire, wire_len}, !zone->host_is_inside);
}

/* A TTL that changes alone is no change of the zone: each refresh brings another, and the serial
 * would move with all of them. */
enum status target_set_host(struct zone *zone, const char *name,
                            const struct resolver_address *addresses, size_t count, uint32_t ttl_s,
                            bool *is_change)
{
    struct target *target = target_find_host(zone, name);
    if (!target || target->is_fixed)
        return STATUS_OK;
    target->resolved_ttl_s = ttl_s;
    target_set_ttl(zone, target);
    return target_set_addresses(zone, target, addresses, count, is_change);
}

/* Each row makes the host's list anew from all rows so far that name it, so the last one's is
 * whole, and what is sorted and without duplicates stays so. */
enum status target_add_fixed(struct zone *zone, const struct zone_address *rows, size_t row,
                             struct detail *why)
{
    const char *name = rows[row].name;
    struct address location = {.kind = HOST_KIND_NAME, .host = name};
    size_t len = strlen(name);
    if (len == 0 || len > NAME_LABEL_MAX || strchr(name, '.'))
        return detail_set(why, STATUS_BAD_INPUT, "\"%s\" is no name without dots", name);
    location.host_len = (uint8_t)len;
    struct target *target;
    enum status status = target_get(zone, &location, &target);
    if (status != STATUS_OK)
        return status;
    struct resolver_address all[ADDRESSES_MAX];
    size_t count = 0;
    for (size_t i = 0; i <= row && count < ADDRESSES_MAX; i++)
        if (strcasecmp(rows[i].name, name) == 0)
            all[count++] = rows[i].address;
    target->is_fixed = true;
    if (target->users == 0)
        target->users = 1; /* the configuration: it is never reaped */
    bool is_change;
    return target_set_addresses(zone, target, all, count, &is_change);
}
