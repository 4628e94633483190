/* registry/lease_id.h - the IDs that empusa gives its leases: they say the TTL.
 *
 * 63 bits = tag 0x45 (8 bits), TTL in seconds or 255 if longer (8 bits), random (47 bits). Since it
 * is we who choose the ID, a grant whose answer was lost is repeated with the same one, and since
 * the TTL is in it, a server knows it from a key's event alone, without asking etcd for the lease.
 *
 * Units: *_s is whole seconds. Threads: any. */
#ifndef REGISTRY_LEASE_ID_H
#define REGISTRY_LEASE_ID_H

#include "registry/base/status.h"

#define LEASE_ID_TTL_MAX_S     255 /* it stands for "255 or longer" */
#define LEASE_ID_TTL_ASSUMED_S 5   /* of a lease with another tag */

/* A new ID for a TTL, from random_fill(). SYSTEM: there is no random number. */
MUST_USE enum status lease_id_new(uint64_t ttl_s, int64_t *out);

/* The ID that stands for a lease which is over, of an entry that is answered all the same, for at most
 * so long (1..255): one that nobody is granted. */
int64_t lease_id_of_held(uint32_t ttl_s);
bool lease_id_is_held(int64_t id);

/* The TTL that an ID says, LEASE_ID_TTL_MAX_S at most; LEASE_ID_TTL_ASSUMED_S for another tag; 0
 * for lease 0 (none). */
uint32_t lease_id_ttl_s(int64_t id);

/* Whether it is one of ours that says this TTL: granted for exactly it, but where it is
 * LEASE_ID_TTL_MAX_S or longer, which IDs do not tell apart. */
bool lease_id_is_for(int64_t id, uint64_t ttl_s);

#endif
