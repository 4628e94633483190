/* zones/zone_types.h - what a zone is made from, and what it counts.
 *
 * Types alone, for zone.h and for the files that it is made of.
 *
 * Units: *_s is seconds. */
#ifndef ZONES_ZONE_TYPES_H
#define ZONES_ZONE_TYPES_H

#include "registry/base/log.h"
#include "registry/net/resolver.h"
#include "skip.h"

#define ZONE_NS_MAX    16
#define ZONE_HOSTS_MAX 256

/* --ns NAME=ADDR and --host NAME=ADDR; a name may come several times. */
struct zone_address {
    const char *
        name; /* of a name server: absolute or, without a dot, below the zone; of a host: dotless */
    struct resolver_address address;
};

#define ZONE_DOMAIN_MAX 198 /* octets of a zone's name as text, so that something fits below it */

/* What of its options a zone cannot be made of. */
enum zone_part { ZONE_NO_PART, ZONE_DOMAIN, ZONE_HOST_DOMAIN, ZONE_NS, ZONE_HOST };
struct zone_fault {
    enum zone_part part;
    size_t row; /* in ns or hosts */
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
    bool has_switches;        /* publish switches */
    bool leaves_sizes;        /* warn of no type with over 100 instances: the caller does */
    struct zone_fault *fault; /* filled in with BAD_INPUT; may be NULL */
    struct log log;
    /* A dotless host without a --host address is referred to for the first time / no longer. May be
     * NULL. The name is folded and valid until `host_removed` for it returns. NO_MEMORY: then there is none for what
     * refers to it either. */
    enum status (*host_added)(void *arg, const char *name);
    void (*host_removed)(void *arg, const char *name);
    void *arg;
};

/* The figures of metrics, summary and status pages. */
struct zone_counts {
    uint64_t keys;     /* put and not removed, served or not */
    uint64_t services; /* served */
    uint64_t switches; /* served */
    uint64_t types;
    uint64_t names;     /* owners in the look-up table */
    uint64_t addresses; /* distinct IP addresses */
    uint64_t hosts, hosts_without_address;
    uint64_t collisions;      /* keys whose DNS name an earlier one has, too */
    uint64_t large_types;     /* types with more than 100 instances */
    uint64_t ignored_members; /* members of JSON values ignored for a wrong type or range */
    uint64_t skipped[SKIP_COUNT];
    uint64_t bytes; /* of memory that the look-up tables take */
    int64_t revision;
    uint32_t serial;
};

#endif
