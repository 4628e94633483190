/* zones/hosts.h - the addresses of dotless hosts, looked up in the background and kept fresh.
 *
 * A host that the registry names without a dot ("baz") is looked up as this machine would find
 * it, again by its TTL (within 5 to 300 s) as long as it is registered. A failed look-up keeps
 * the last good result; a host that DNS says does not exist has no address. Either is repeated
 * after 10 s, then after twice that each time, up to 300 s for a host that does not exist and 60
 * s when DNS fails. No query ever waits for any of it.
 *
 * Whoever may register can name any number of hosts; so all of them together cost at most
 * HOSTS_PER_S look-ups a second (after a first HOSTS_BURST), HOSTS_LOOKUPS_MAX at once. Half of
 * that is reserved for hosts that have never been looked up. Beyond HOSTS_MAX, hosts are left out:
 * they wait for the place of one that is removed or has failed repeatedly. One that does not exist
 * yields to one that has never been looked up, so that those that exist are found however many do
 * not.
 *
 * Units: *_s is seconds. Threads: everything belongs to the thread that runs the loop. */
#ifndef ZONES_HOSTS_H
#define ZONES_HOSTS_H

#include "registry/base/log.h"
#include "registry/net/resolver.h"

#define HOSTS_MAX         10000
#define HOSTS_PER_S       50
#define HOSTS_BURST       200
#define HOSTS_LOOKUPS_MAX 32

struct hosts;

/* The addresses of a host: none when it has none. ttl_s: UINT32_MAX when the result does not age.
 * NO_MEMORY: they could not be taken, and are looked up again soon. */
typedef enum status hosts_found(void *arg, const char *name,
                                const struct resolver_address *addresses, size_t count,
                                uint32_t ttl_s);

/* `resolver` must outlive the hosts. `log` gets a WARNING when hosts are left out. NO_MEMORY. */
MUST_USE enum status hosts_start(uv_loop_t *loop, struct resolver *resolver, const struct log *log,
                                 hosts_found *found, void *arg, struct hosts **out);

/* Begin and cease to look a host up, as zone_options.host_added and host_removed, with the hosts
 * as `arg`. NO_MEMORY: it does not begin. */
MUST_USE enum status hosts_add(void *hosts, const char *name);
void hosts_remove(void *hosts, const char *name);

struct hosts_counts {
    uint64_t left_out; /* hosts that are not looked up, because there are too many */
    uint64_t lookups;  /* begun since the start */
    uint64_t failures; /* of those, that found no address */
};

/* NULL has none. */
void hosts_count(const struct hosts *hosts, struct hosts_counts *out);

/* Forget all; handles close on the loop's next turns. After resolver_close(). NULL is accepted. */
void hosts_stop(struct hosts *hosts);

#endif
