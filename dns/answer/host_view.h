/* dns/answer/host_view.h - <type>.service and <name>.<type>.service: names that exist only in
 * questions.
 *
 * A host view is looked up as the type's, or the instance's, own names with _tcp and with _udp;
 * nothing is stored for it.
 *
 * Threads: readers (zones/store/rcu.h). */
#ifndef DNS_ANSWER_HOST_VIEW_H
#define DNS_ANSWER_HOST_VIEW_H

#include "records.h"

/* Whether the first `labels` labels of the folded name, `len` octets, end in "service" and are two
 * or more. */
static inline bool host_view_is(const struct query *query, size_t len, unsigned labels)
{
    static const uint8_t last[] = {7, 's', 'e', 'r', 'v', 'i', 'c', 'e'};
    return labels >= 2 && query->labels[labels - 1] + sizeof(last) == len &&
           memcmp(query->folded + len - sizeof(last), last, sizeof(last)) == 0;
}

/* Rewrite such a name to what is to be looked up, ending in _tcp, of query->key_len octets. False
 * when there cannot be such a view: more labels, or an instance that is no host name. */
bool host_view_rewrite(struct query *query, size_t len, unsigned labels);

/* Both names. False when neither exists. Loads what `sources` holds of the sets. */
bool host_view_find(const struct view *view, const struct query *query, struct sources *sources);

#endif
