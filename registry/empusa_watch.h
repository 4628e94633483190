/* registry/empusa_watch.h - what programs of libempusa follow.
 *
 * Threads: the registry's own. */
#ifndef REGISTRY_EMPUSA_WATCH_H
#define REGISTRY_EMPUSA_WATCH_H

#include "empusa_thread.h"

/* Stop and release all, before etcd_close(). */
void empusa_watch_stop_all(struct empusa *registry);

#endif
