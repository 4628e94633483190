/* dns/answer/additional.h - the additional section: what the client would ask for next.
 *
 * Never required, so never a reason for TC: what does not fit is left out, an instance or an RRset
 * at a time.
 *
 * Threads: readers (zones/store/rcu.h). */
#ifndef DNS_ANSWER_ADDITIONAL_H
#define DNS_ANSWER_ADDITIONAL_H

#include "reply.h"

/* The addresses of the targets that the answer's SRV records point at (RFC 6763 12.2). */
void additional_srv(struct reply *reply);
/* SRV, TXT and addresses of each instance that the answer's PTR records point at (RFC 6763 12.1),
 * all or nothing for each. */
void additional_ptr(struct reply *reply);
/* The addresses of the name servers. `first` is where the first NS record stands. */
void additional_ns(struct reply *reply, const uint8_t *first);

#endif
