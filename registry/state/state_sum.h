/* registry/state/state_sum.h - the checksums of the copy on disk.
 *
 * SQLite has none for its pages: an octet that changed on the medium is what a query returns. So
 * each row carries one over all that stands in it. They find what wears out and breaks, not a
 * person who wants to deceive: who can write there can also compute them.
 *
 * Threads: pure. */
#ifndef REGISTRY_STATE_STATE_SUM_H
#define REGISTRY_STATE_STATE_SUM_H

#include "state_types.h"

/* Of octets. */
uint64_t state_sum(const void *octets, size_t len);

/* Of a key with its value, lease and mod_revision. */
uint64_t state_sum_kv(const struct kv *kv);

#endif
