#include "summary.h"

#include "dns/server/server.h"
#include "zones/zone.h"

#include <inttypes.h>

void summary_log(const struct log *log, const struct zone *zone, const struct server *server,
                 enum answer_state state)
{
    static const char *const states[] = {[ANSWER_NOT_READY] = "not ready",
                                         [ANSWER_FRESH] = "fresh",
                                         [ANSWER_STALE] = "stale",
                                         [ANSWER_EXPIRED] = "expired"};
    struct zone_counts counts;
    struct counters counters;
    uint64_t skipped = 0, queries[2] = {0};
    zone_counts(zone, &counts);
    server_counters(server, &counters);
    for (size_t i = SKIP_NONE + 1; i < SKIP_COUNT; i++)
        skipped += counts.skipped[i];
    for (size_t i = 0; i < COUNTERS_TYPE_COUNT; i++) {
        queries[QUERY_UDP] += counters.queries[QUERY_UDP][i];
        queries[QUERY_TCP] += counters.queries[QUERY_TCP][i];
    }
    log_printf(log, LOG_LEVEL_INFO,
               "%s is %s: %" PRIu64 " services of %" PRIu64 " types, %" PRIu64 " switches, %" PRIu64
               " keys not published, %" PRIu64 " hosts without address of "
               "%" PRIu64 ", revision %" PRId64 ", serial %" PRIu32 "; %" PRIu64
               " queries over UDP, %" PRIu64 " over TCP",
               zone_domain(zone), states[state], counts.services, counts.types, counts.switches,
               skipped, counts.hosts_without_address, counts.hosts, counts.revision, counts.serial,
               queries[QUERY_UDP], queries[QUERY_TCP]);
}
