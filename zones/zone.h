/* zones/zone.h - the registry as a DNS zone: built change by change, read without locks.
 *
 * The control thread tells the zone what the registry holds, as registry/mirror.h tells it: put and
 * remove, grouped by commit, or a load between load_begin and load_end. Each key becomes, or ceases
 * to be, DNS names at a cost in proportion to the change. Workers look names up at any time
 * (zones/find.h); they see a change between two of its commits at the latest.
 *
 * A key that cannot be served is skipped, counted by reason and logged once; it never affects its
 * neighbours.
 *
 * Units: *_s is seconds. Keys are what follows the root: "/service/<type>/<name>",
 * "/switch/<path>". Threads: all but zones/find.h belongs to the control thread, which must be an
 * RCU writer. */
#ifndef ZONES_ZONE_H
#define ZONES_ZONE_H

#include "registry/log.h"
#include "registry/resolver.h"
#include "registry/status.h"

#include <stdbool.h>
#include <stdint.h>

struct zone;

#define ZONE_NS_MAX    16
#define ZONE_HOSTS_MAX 256

/* --ns NAME=ADDR and --host NAME=ADDR; a name may come several times. */
struct zone_address {
    const char *
        name; /* of a name server: absolute or, without a dot, below the zone; of a host: dotless */
    struct resolver_address address;
};

/* Strings are copied. */
struct zone_options {
    const char *domain;      /* "empusa.internal", with or without the trailing dot */
    uint32_t record_ttl_s;   /* 10 */
    uint32_t negative_ttl_s; /* 5 */
    const char *host_domain; /* NULL = "host.<zone>" */
    const struct zone_address *ns;
    size_t ns_count; /* 0: "ns.<zone>" without addresses */
    const struct zone_address *hosts;
    size_t host_count;
    bool has_switches; /* publish switches */
    struct log log;
    /* A dotless host without a --host address is referred to for the first time / no longer. May be
     * NULL. The name is folded and valid until `host_unwanted` for it returns. */
    void (*host_wanted)(void *arg, const char *name);
    void (*host_unwanted)(void *arg, const char *name);
    void *arg;
};

/* BAD_INPUT: a name is no domain name or too long, the host domain lies inside the zone but is not
 * host.<zone>, a name server lies below one of the sub-trees. NO_MEMORY, SYSTEM (no randomness). */
MUST_USE enum status zone_new(const struct zone_options *options, struct zone **out,
                              struct detail *why);
/* No reader may be left. NULL is accepted. */
void zone_free(struct zone *zone);

/* A key has this value. Also for what has not changed: same mod_revision, nothing happens (but the
 * mark). NO_MEMORY: the key is counted as skipped; nothing else changed. */
MUST_USE enum status zone_put(struct zone *zone, const char *key, size_t key_len, const char *value,
                              size_t value_len, int64_t mod_revision, int64_t lease);
/* A key is gone. One that was never told is no error. */
void zone_remove(struct zone *zone, const char *key, size_t key_len);

/* Begin a load: from now on what is put is marked. End it: what is not marked is removed. */
void zone_load_begin(struct zone *zone);
void zone_load_end(struct zone *zone);

/* Publish what has been told since the last commit; in publishing order: addresses, SRV and TXT,
 * what points at them, then removals the other way round. revision: of the store, for the serial; 0
 * in the middle of a load. Nothing told: the serial stays. */
void zone_commit(struct zone *zone, int64_t revision);

/* The addresses of a wanted host, replacing those known; count 0 = none. Commits by itself: adds 1
 * to the serial when something changed. ttl_s bounds the records' TTL. A host nobody wants is
 * ignored. */
void zone_set_host(struct zone *zone, const char *name, const struct resolver_address *addresses,
                   size_t count, uint32_t ttl_s);

/* Why a key is not served. X(name, sentence) */
#define ZONE_SKIP_LIST(X)                                                                          \
    X(BAD_KEY, "its key is not below service/<type>/<name> or switch/<path>")                      \
    X(BAD_VALUE, "its value is neither a location nor a JSON object with a good location")         \
    X(RESERVED, "the type dns-sd is reserved")                                                     \
    X(NAME_TOO_LONG, "its DNS name would be longer than 255 octets")                               \
    X(BAD_SWITCH_NAME, "a part of its path cannot be a label: empty, over 63 octets or *")         \
    X(VALUE_TOO_LONG, "its value is longer than 16 KiB")                                           \
    X(SWITCHES_OFF, "switches are not published")                                                  \
    X(NO_MEMORY, "out of memory")

enum zone_skip {
    ZONE_SERVED,
#define ZONE_SKIP_ENUM(name, sentence) ZONE_SKIP_##name,
    ZONE_SKIP_LIST(ZONE_SKIP_ENUM)
#undef ZONE_SKIP_ENUM
        ZONE_SKIP_COUNT
};

struct zone_counts {
    uint64_t keys;     /* told and not removed, served or not */
    uint64_t services; /* served */
    uint64_t switches; /* served */
    uint64_t types;
    uint64_t names;     /* owners in the look-up table */
    uint64_t addresses; /* distinct IP addresses */
    uint64_t hosts, hosts_without_address;
    uint64_t collisions;      /* keys whose DNS name another key has, too */
    uint64_t large_types;     /* types with more than 100 instances */
    uint64_t ignored_members; /* members of JSON values ignored for a wrong type or range */
    uint64_t skipped[ZONE_SKIP_COUNT];
    uint64_t bytes; /* of memory held for entries and tables */
    int64_t revision;
    uint32_t serial;
};
void zone_counts(const struct zone *zone, struct zone_counts *out);
const char *zone_skip_text(enum zone_skip skip);

/* The zone's name for messages: without the trailing dot. */
const char *zone_domain(const struct zone *zone);

#endif
