/* registry/outage.h - an outage of etcd: reported once, retried ever more slowly.
 *
 * Units: *_ms is milliseconds. Threads: the caller's memory. */
#ifndef REGISTRY_OUTAGE_H
#define REGISTRY_OUTAGE_H

#include "registry/base/status.h"

/* All zero: all is well. */
struct outage {
    unsigned failures; /* in a row; 0: all is well */
    uint32_t reported; /* a bit for each kind that was */
};

/* Whether trying again cannot help as long as nothing was ever done: what etcd refuses for what was
 * asked, or for who asked. */
bool outage_is_permanent(enum status status);

/* Whether etcd may have done what it was asked to do, although it did not say so: when it has not said
 * no, whatever became of the attempts. */
bool outage_is_unknown(enum status status);

/* Something failed. True when it is to be reported: not another face of what was reported before.
 * Where two kinds alternate, as two members may fail in different ways, each is so once. */
bool outage_is_new(struct outage *outage, enum status status);

/* How long to wait before the next try: 0.25 s doubling to 1.5 s, of which a random half, and max_ms at most, so that a
 * thousand processes do not come back at the same moment. No longer, since a lease may be of a few
 * seconds: whoever came back later would have vanished meanwhile. */
uint64_t outage_delay_ms(struct outage *outage, uint64_t max_ms);

/* All is well. True when it had not been. */
bool outage_end(struct outage *outage);

#endif
