/* registry/etcd/range.h - kv_range() for callers that may change their mind.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_RANGE_H
#define REGISTRY_ETCD_RANGE_H

#include "kv_types.h"

struct etcd;
struct member;
struct range;

/* As kv_range(). `pin`: ask this member only, once; NULL = any. NULL: no memory, or the client is
 * closing; nothing will be called. */
struct range *range_start(struct etcd *etcd, const struct kv_range *range, struct member *pin,
                          kv_each *each, kv_range_done *done, void *arg);

/* Nothing is called any more. Not after `done`; from inside `each` it is allowed. */
void range_cancel(struct range *range);

#endif
