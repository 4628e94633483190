/* zones/zone_state.h - a zone as its writer sees it: what the files that make one share.
 *
 * Those files stand in one line, each calling only what comes before it:
 *
 *     names, key_node < same_name < target < service_type < subtype < draft < instance
 *         < switch_node < served < apex < zone
 *
 * Threads: the control thread; readers see `view` alone. */
#ifndef ZONES_ZONE_STATE_H
#define ZONES_ZONE_STATE_H

#include "view.h"
#include "zone_types.h"

struct zone {
    struct view view; /* first: zone_view() */

    struct ptr_table keys;      /* struct key_node by key */
    struct ptr_table elsewhere; /* struct target by name: hosts that lie outside the zone */
    struct service_type *types; /* _services._dns-sd._udp */
    struct service_type *dirty; /* those with something to publish */

    /* Nodes to be looked at at the end of a commit, since they may be of no use any more: dying
     * instances, and targets and types that have lost their last user. */
    struct node **to_reap;
    size_t to_reap_count, to_reap_capacity;

    uint8_t mark; /* of the load under way: 1-63 */
    bool is_loading, has_changed, has_served;
    bool is_whole; /* no change was lost since the last load began */
    bool host_is_inside, has_switches, leaves_sizes;
    uint64_t changes; /* zone_change_count() */
    struct zone_counts counts;
    struct log log;
    enum status (*host_added)(void *arg, const char *name);
    void (*host_removed)(void *arg, const char *name);
    void *arg;
    char domain[NAME_TEXT_MAX];
};

#endif
