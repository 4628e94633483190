/* zones/hosts.h - the addresses of dotless hosts, looked up in the background and kept fresh.
 *
 * A host that the registry names without a dot ("baz") is looked up as this machine would find it,
 * again by its TTL (within 5 to 300 s) as long as it is wanted. A failed look-up keeps the last
 * good result and is repeated; a host that is said not to exist has no address. No query ever waits
 * for any of it.
 *
 * Units: *_s is seconds. Threads: everything belongs to the thread that runs the loop. */
#ifndef ZONES_HOSTS_H
#define ZONES_HOSTS_H

#include "registry/resolver.h"
#include "registry/status.h"

#include <uv.h>

struct hosts;

/* The addresses of a host: none when it has none. ttl_s: UINT32_MAX when the result does not age.
 */
typedef void hosts_found(void *arg, const char *name, const struct resolver_address *addresses,
                         size_t count, uint32_t ttl_s);

/* `resolver` must outlive the hosts. NO_MEMORY. */
MUST_USE enum status hosts_start(uv_loop_t *loop, struct resolver *resolver, hosts_found *found,
                                 void *arg, struct hosts **out);

/* Begin and cease to look a host up; as zone_options.host_wanted and host_unwanted, with the hosts
 * as `arg`. */
void hosts_want(void *hosts, const char *name);
void hosts_unwant(void *hosts, const char *name);

/* Forget all; handles close on the loop's next turns. After resolver_close(). NULL is accepted. */
void hosts_stop(struct hosts *hosts);

#endif
