/* registry/etcd/follow_prove.h - have the watch proven when it is time, and act upon what that shows.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_FOLLOW_PROVE_H
#define REGISTRY_ETCD_FOLLOW_PROVE_H

#include "follow_state.h"

/* Whether it is time: many changes are proven before they are too many. */
bool follow_prove_is_due(const struct follow *follow);

/* Begin a proof; a watch stands and no proof is under way. */
void follow_prove(struct follow *follow);

#endif
