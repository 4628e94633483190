/* dns/hostview.h - <type>.service and <name>.<type>.service: names that exist only in questions.
 *
 * A host view is looked up as the type's, or the instance's, own names with _tcp and with _udp;
 * nothing is stored for it.
 *
 * Threads: readers (zones/rcu.h). */
#ifndef DNS_HOSTVIEW_H
#define DNS_HOSTVIEW_H

#include "records.h"

/* Whether the first `len` octets of the query's folded name end in the label "service" and have one
 * or two before. Then the name is rewritten to what is to be looked up, ending in _tcp, of
 * query->key_len octets. A view that cannot be (an instance that is no host name) gives false and
 * *is_void. */
bool hostview_rewrite(struct query *query, size_t len, unsigned labels, bool *is_void);

/* Both names. False when neither exists. Loads what `sources` holds of the sets. */
bool hostview_find(const struct view *view, const struct query *query, struct sources *sources);

#endif
