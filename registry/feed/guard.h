/* registry/feed/guard.h - against a mass disappearance: what expires all at once is kept for a while.
 *
 * When services cannot reach etcd, their leases expire although they run, and all of a type vanish
 * at once. The guard stands between a follow and its owner. It copies the services that have a lease
 * and counts the instances of each type. Most of what goes is passed on at once. But when of a type
 * so much has gone within 10 s that it could be more than the share, etcd is asked what became of
 * the leases. A lease that lives: the key was deleted on purpose, and that is passed on. Once those
 * that expired are at least five, and more than the share of the instances that there were 10 s
 * before, all that expired in that time are held: the owner is given them (again) as puts, under a
 * lease of 10 s at the most, until their hold is over, counted from when each expired, or until they
 * are registered again.
 *
 * What a load does not find is judged the same way: it is put into the load while it is not known
 * better. Without contact to etcd no hold ends, as nobody knows who has come back.
 *
 * Without memory it lets go: puts and removals are always passed on.
 *
 * Units: *_ms is milliseconds of the loop's clock. Threads: the loop's. */
#ifndef REGISTRY_FEED_GUARD_H
#define REGISTRY_FEED_GUARD_H

#include "guard_types.h"
#include "registry/etcd/follow_types.h"

struct guard;

/* What it passes on goes to `events` (copied, all of them there) with `arg`.
 * OK: *out is to be given to guard_close(). NO_MEMORY, SYSTEM (no randomness). */
MUST_USE enum status guard_new(const struct guard_options *options,
                               const struct follow_events *events, void *arg, struct guard **out);

/* What is to be given to follow_start(), with the guard as its argument. */
extern const struct follow_events guard_events;

/* Before follow reports anything: the owner has this key already, from a copy of his own, or has
 * none of those that he said he had. */
void guard_know(struct guard *guard, const struct kv *kv);
void guard_forget(struct guard *guard);

/* After follow_stop(). Passes nothing on; the memory is released on the loop's next turn. NULL:
 * nothing. */
void guard_close(struct guard *guard);

void guard_count(const struct guard *guard, struct guard_counts *out);

#endif
