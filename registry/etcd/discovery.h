/* registry/etcd/discovery.h - where the members are: SRV discovery and host addresses, each in one
 * flight.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_DISCOVERY_H
#define REGISTRY_ETCD_DISCOVERY_H

#include "client.h"

enum discovery_state { DISCOVERY_READY, DISCOVERY_PENDING, DISCOVERY_FAILED };

/* Whether there are members to ask. With --etcd-discovery-srv and none yet, a look-up is started,
 * unless one failed within the last second (FAILED: see etcd->discovery.why). */
enum discovery_state discovery_members(struct etcd *etcd);

/* No member answers: look up the SRV records again, at most every 30 s. */
void discovery_refresh(struct etcd *etcd);

/* Start looking up the member's addresses unless that is under way. FAILED: it could not be
 * started. When it ends, member->addresses is set or else member->reason says why. A look-up that
 * fails leaves the addresses of an earlier one in use; it is repeated after 5 s. */
enum discovery_state discovery_addresses(struct etcd *etcd, struct member *member);

#endif
