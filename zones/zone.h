/* zones/zone.h - the registry as a DNS zone: built change by change, read without locks.
 *
 * The control thread passes on what registry/etcd/follow.h reports of the registry: put and
 * remove, grouped by commit, or a load between load_begin and load_end. Each key becomes, or
 * ceases to be, DNS names at a cost in proportion to the change. Workers look names up at any
 * time (zones/view.h); they see a change between two of its commits at the latest.
 *
 * A key that cannot be served is skipped, counted by reason and logged once; it never affects its
 * neighbours.
 *
 * Units: *_s is seconds. Keys are what follows the root: "/service/<type>/<name>",
 * "/switch/<path>". Threads: all but zones/view.h belongs to the control thread, which must be an
 * RCU writer. */
#ifndef ZONES_ZONE_H
#define ZONES_ZONE_H

#include "zone_types.h"

struct zone;

/* BAD_INPUT: a name is no domain name or too long, the host domain lies inside the zone but is not
 * host.<zone>, a name server lies below one of the sub-trees. NO_MEMORY, SYSTEM (no randomness). */
MUST_USE enum status zone_new(const struct zone_options *options, struct zone **out,
                              struct detail *why);
/* No reader may be left. NULL is accepted. */
void zone_free(struct zone *zone);

/* A key has this value. Also for what has not changed: with the same value, lease and mod_revision
 * nothing happens (but the mark). NO_MEMORY: nothing changed, and the zone is partial until a load
 * has gone well. */
MUST_USE enum status zone_put(struct zone *zone, const char *key, size_t key_len, const char *value,
                              size_t value_len, int64_t mod_revision, int64_t lease);
/* A key is gone. One that is not there is no error. */
void zone_remove(struct zone *zone, const char *key, size_t key_len);

/* Keys that were put with something new, and keys that went, since the zone was made: whoever keeps
 * a copy sees by it whether a put was a change. */
uint64_t zone_change_count(const struct zone *zone);

/* Begin a load: from now on what is put is marked. End it: what is not marked is removed, and each
 * such key told to `swept` (may be NULL) before it goes; not those of 4,096 octets and more, which
 * are never served. */
typedef void zone_swept(void *arg, const char *key, size_t key_len);
void zone_load_begin(struct zone *zone);
void zone_load_end(struct zone *zone, zone_swept *swept, void *arg);

/* Whether a change was lost for want of memory. Answers then do not say that a name or a type of
 * records does not exist; a load is due. */
bool zone_is_partial(const struct zone *zone);

/* Publish the changes since the last commit, in publishing order: addresses, SRV and TXT, what
 * points at them, then removals the other way round. revision: of the store, for the serial; 0
 * in the middle of a load. Without a change the serial stays. */
void zone_commit(struct zone *zone, int64_t revision);

/* The serial goes on from this one, of an earlier process, unless it is later already. */
void zone_raise_serial(struct zone *zone, uint32_t serial);

/* The addresses of a host that the registry names, replacing those known; count 0 = none.
 * Visible at once. A change adds 1 to the serial, or leaves that to the commit of the group of
 * changes that is under way. ttl_s bounds the records' TTL. A host that the registry does not
 * name is ignored. NO_MEMORY: those known stay. */
MUST_USE enum status zone_set_host(struct zone *zone, const char *name,
                                   const struct resolver_address *addresses, size_t count,
                                   uint32_t ttl_s);

void zone_counts(const struct zone *zone, struct zone_counts *out);

/* The zone's name for messages: without the trailing dot. */
const char *zone_domain(const struct zone *zone);

#endif
