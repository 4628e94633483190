/* dns/transfer/xfr_query.h - what a question for a transfer earns.
 *
 * Threads: readers (zones/store/rcu.h). */
#ifndef DNS_TRANSFER_XFR_QUERY_H
#define DNS_TRANSFER_XFR_QUERY_H

#include "axfr.h"
#include "dns/answer/answer_types.h"

#include "zones/view.h"

enum transfer_kind {
    TRANSFER_WHOLE,  /* over TCP: the zone */
    TRANSFER_SOA,    /* the SOA record alone: come by TCP, or there is nothing new (RFC 1995 2) */
    TRANSFER_FORMERR /* AXFR over UDP; IXFR that does not say what the client has */
};

/* Of a query for AXFR or IXFR that is a question. `view` is looked at for IXFR over TCP alone. */
enum transfer_kind xfr_query_kind(const struct query *query, const struct view *view);

/* Keep what is needed of the query and the environment. */
void xfr_query_keep(const struct answer_env *env, const struct query *query,
                    struct axfr_request *out);

#endif
