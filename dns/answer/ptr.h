/* dns/answer/ptr.h - PTR records: of a type or subtype to its instances, of the list of types to
 * the types.
 *
 * Their data shares an end, which is written once and then pointed at (RFC 1035 4.1.4). As
 * records.h for the rest.
 *
 * Threads: readers (zones/store/rcu.h). */
#ifndef DNS_ANSWER_PTR_H
#define DNS_ANSWER_PTR_H

#include "reply.h"

/* Instances are remembered for the additional section. True when the set exists. */
bool ptr_put(struct reply *reply, const struct node *node, const struct member_version *members);

#endif
