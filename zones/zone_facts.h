/* zones/zone_facts.h - what a zone is made from, what it counts, and why it leaves a key out.
 *
 * Types alone, for zone.h and for the files that it is made of. */
#ifndef ZONES_ZONE_FACTS_H
#define ZONES_ZONE_FACTS_H

#include "registry/base/log.h"
#include "registry/net/resolver.h"

#include <stdbool.h>
#include <stdint.h>

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
     * NULL. The name is folded and valid until `host_unwanted` for it returns. */
    void (*host_wanted)(void *arg, const char *name);
    void (*host_unwanted)(void *arg, const char *name);
    void *arg;
};

/* Why a key is not served. X(name, sentence) */
#define ZONE_SKIP_LIST(X)                                                                          \
    X(BAD_KEY, "its key is not below service/<type>/<name> or switch/<path>")                      \
    X(BAD_VALUE, "its value is neither a location nor a JSON object with a good location")         \
    X(RESERVED, "the type dns-sd is reserved")                                                     \
    X(NAME_TOO_LONG, "its DNS name would be longer than 255 octets")                               \
    X(BAD_SWITCH_NAME, "a part of its path cannot be a label: empty, over 63 octets or *")         \
    X(VALUE_TOO_LONG, "its value is longer than 16 KiB")                                           \
    X(CROWDED_NAME, "256 keys that were there before it have the same DNS name")                   \
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
    uint64_t collisions;      /* keys whose DNS name an earlier one has, too */
    uint64_t large_types;     /* types with more than 100 instances */
    uint64_t ignored_members; /* members of JSON values ignored for a wrong type or range */
    uint64_t skipped[ZONE_SKIP_COUNT];
    uint64_t bytes; /* of memory that the look-up tables take */
    int64_t revision;
    uint32_t serial;
};

#endif
