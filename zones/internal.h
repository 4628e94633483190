/* zones/internal.h - the writer's side of a zone, shared by the files of this folder. */
#ifndef ZONES_INTERNAL_H
#define ZONES_INTERNAL_H

#include "registry/entry.h"
#include "registry/key.h"
#include "registry/lease_id.h"
#include "view.h"
#include "zone_facts.h"

struct zone {
    struct view view; /* first: zone_view() */

    struct table keys;      /* struct record by key */
    struct table elsewhere; /* struct target by name: hosts that lie outside the zone */
    struct set *types;      /* _services._dns-sd._udp */
    struct set *dirty;      /* sets with something to publish */

    /* Nodes to be looked at at the end of a commit: dying instances, targets and sets nobody refers
     * to. */
    struct node **pending;
    size_t pending_count, pending_room;

    uint8_t mark; /* of the load under way: 1-63 */
    bool is_loading, has_changed, has_served;
    bool is_whole; /* since the last load began all could be told */
    bool host_is_inside, has_switches, leaves_sizes;
    struct zone_counts counts;
    struct log log;
    void (*host_wanted)(void *arg, const char *name);
    void (*host_unwanted)(void *arg, const char *name);
    void *arg;
    char domain[NAME_TEXT_MAX];
};

/* What a key is told to be, and what it was: NULL, nothing. */
struct change {
    const char *key, *value;
    size_t key_len, value_len;
    int64_t mod_revision;
    uint32_t ttl_s;
    struct record *old;
};

/* owner.c - names in the look-up table. Names given are readable NAME_PAD octets beyond their end.
 */

/* A new node of `size` octets before its name, zeroed but for the node; the name and `extra` octets
 * follow, readable NAME_PAD octets beyond. NULL without memory. */
void *owner_new(enum node_kind kind, size_t size, const uint8_t *name, size_t name_len,
                size_t extra);
uint64_t owner_hash(const struct zone *zone, const uint8_t *name, size_t len);
struct node *owner_find(const struct zone *zone, const uint8_t *name, size_t len);
/* Enter a node whose parent is known to be there. NO_MEMORY. */
MUST_USE enum status owner_add(struct zone *zone, struct node *node);
/* Enter a node, in the place of an empty non-terminal if there is one, with its missing parents.
 * NO_MEMORY. */
MUST_USE enum status owner_add_deep(struct zone *zone, struct node *node);
/* Take out and retire a node that owner_add() entered. */
void owner_remove(struct zone *zone, struct node *node);
/* The same for owner_add_deep(): with children it becomes an empty non-terminal; parents left empty
 * go. */
void owner_remove_deep(struct zone *zone, struct node *node);
/* Put one node in the place of another with the same name. The old one is not retired. */
void owner_replace(struct zone *zone, struct node *old, struct node *node);
/* Room for `count` more pending nodes. NO_MEMORY. */
MUST_USE enum status owner_reserve_pending(struct zone *zone, size_t count);
void owner_pend(struct zone *zone, struct node *node);

/* target.c - what SRV records point at. */

/* Find or make the target of a location. A new one has no refs and is pending. NO_MEMORY. */
MUST_USE enum status target_get(struct zone *zone, const struct address *location,
                                struct target **out);
/* Whether it is this location's, an IP address. */
bool target_is_address(const struct target *target, const struct address *location);
/* The wire form of a name in a location: labels, and the root when it is absolute. Returns its
 * length. */
size_t target_host_wire(const struct address *location, uint8_t out[NAME_MAX_LEN]);
MUST_USE enum status target_ref(struct zone *zone, struct target *target, uint32_t ttl_s);
void target_unref(struct zone *zone, struct target *target, uint32_t ttl_s);
/* Look at a pending one: gone when nobody refers to it. */
void target_settle(struct zone *zone, struct target *target);
/* A host of the configuration: enter it, or add an address. */
MUST_USE enum status target_add_fixed(struct zone *zone, const char *name,
                                      const struct resolver_address *address, struct detail *why);
/* As zone_set_host(); true when something changed. */
bool target_set_host(struct zone *zone, const char *name, const struct resolver_address *addresses,
                     size_t count, uint32_t ttl_s);
uint64_t target_hash_elsewhere(const void *arg, const void *item);
void target_free(struct target *target);

/* set.c - types, subtypes and the list of types. */

/* Find or make `<label>.<_tcp|_udp>`. A new one has no refs and is pending. NO_MEMORY. */
MUST_USE enum status set_get_type(struct zone *zone, const uint8_t *name, size_t len,
                                  struct set **out);
MUST_USE enum status set_get_subtype(struct zone *zone, struct set *type, const char *label,
                                     size_t label_len, struct set **out);
/* Something is to be published. */
void set_touch(struct zone *zone, struct set *set);
/* Publish all that was touched, in publishing order. */
void set_publish_all(struct zone *zone);
void set_settle(struct zone *zone, struct set *set);
void set_free(struct set *set);

/* instance.c - services, until they are entered. */

/* Build an instance, with its references. BAD_INPUT: cannot be served; *skip says why, *why in
 * words. */
MUST_USE enum status instance_new(struct zone *zone, const struct key_parts *parts,
                                  const struct change *told, struct instance **out,
                                  enum zone_skip *skip, struct detail *why);
/* Take back one that was not entered. */
void instance_drop(struct zone *zone, struct instance *instance);
/* Let go of its target and its type. */
void instance_release(struct zone *zone, struct instance *instance);
/* Octet for octet, as two values of one key may have. */
bool instance_has_name_of(const struct instance *a, const struct instance *b);
void instance_free(struct instance *instance);

/* chain.c - instances in the zone; those with one name are a chain, in the order of their keys.
 *
 * Letters' case makes 2^20 keys with one name out of 20 letters, so a chain has an end: walking it
 * is what a change of one of its keys costs. */
#define CHAIN_MAX 256

/* Let `new` be in the zone instead of `old`; either may be NULL. TOO_LARGE: too many have the name;
 * NO_MEMORY (neither without `new`): nothing changed. */
MUST_USE enum status chain_swap(struct zone *zone, struct instance *old, struct instance *new);
void chain_settle(struct zone *zone, struct instance *instance);

/* subtype.c - which subtypes an instance is a member of.
 *
 * new: hold the sets that the entry names. drop: let go of them. inherit: the new value of a key
 * takes over the positions of the old. join, leave: after and before the chain of instances with
 * one name, beginning at `head`, gets and loses one. move_head: another instance is the first of
 * the name. */
struct instance_subtypes {
    uint32_t count;
    struct {
        struct set *set;
        uint32_t position; /* MEMBERS_NONE: another instance of the same name stands for it */
    } rows[];
};
MUST_USE enum status subtype_new(struct zone *zone, struct instance *instance,
                                 const struct entry *entry);
void subtype_drop(struct zone *zone, struct instance *instance);
void subtype_inherit(struct instance *old, struct instance *new);
void subtype_leave(struct zone *zone, struct instance *head, struct instance *old);
void subtype_join(struct zone *zone, struct instance *head, struct instance *new);
void subtype_move_head(struct instance *old_head, struct instance *head);

/* switch.c; a chain as above. */
MUST_USE enum status switch_new(const struct zone *zone, const struct key_parts *parts,
                                const struct change *told, struct switch_ **out,
                                enum zone_skip *skip);
MUST_USE enum status switch_swap(struct zone *zone, struct switch_ *old, struct switch_ *new);

/* record.c - keys. */
#define RECORD_KEY_KEPT 4096 /* octets of a key that is kept whole */
#define RECORD_KEY_MAX  (16 + RECORD_KEY_KEPT)
#define RECORD_KEY_SIZE (RECORD_KEY_MAX + NAME_PAD)
struct record *record_find(const struct zone *zone, const char *key, size_t len, uint64_t hash);
/* The key of a record; `buffer` is used when it is derived from the name. Readable NAME_PAD octets
 * beyond its end. */
const uint8_t *record_key(const struct record *record, uint8_t buffer[RECORD_KEY_SIZE],
                          size_t *len);
int record_compare(const struct record *a, const struct record *b);
uint64_t record_hash(const void *arg, const void *item);
uint64_t record_hash_key(const struct zone *zone, const char *key, size_t len);
/* What a key is to be: served, or skipped and logged. The caller's until entered. NO_MEMORY. */
MUST_USE enum status record_new(struct zone *zone, const struct change *told, struct record **out);
/* Skipped, whatever its value; `why` in words, "" = as zone_skip_text(). */
MUST_USE enum status record_new_skipped(const struct zone *zone, const struct change *told,
                                        enum zone_skip skip, const char *why, struct record **out);
/* Take back one that was not entered. */
void record_drop(struct zone *zone, struct record *record);
/* Let the names be those of `new` instead of `old`; as chain_swap(). */
MUST_USE enum status record_enter(struct zone *zone, struct record *old, struct record *new);
/* Let there be no names of `record`; it is retired. */
void record_leave(struct zone *zone, struct record *record);

/* origin.c - what the configuration alone makes: apex, name servers, browsing domains, containers.
 */
MUST_USE enum status origin_init(struct zone *zone, const struct zone_options *options,
                                 struct detail *why);
void origin_clear(struct zone *zone);

#endif
