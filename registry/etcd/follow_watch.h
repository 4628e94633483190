/* registry/etcd/follow_watch.h - the watch that is followed, and whether its member is still there.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_FOLLOW_WATCH_H
#define REGISTRY_ETCD_FOLLOW_WATCH_H

#include "follow_state.h"

/* Begin to watch, on the member that answered last, unless it has just failed. */
void follow_watch_join(struct follow *follow);

/* What is due while a watch stands, or is being created. */
void follow_watch_tick(struct follow *follow);

#endif
