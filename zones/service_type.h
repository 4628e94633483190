/* zones/service_type.h - the sets of a zone: types, subtypes and the list of types.
 *
 * What changes in a set is drafted, and published by the commit.
 *
 * Threads: the control thread. */
#ifndef ZONES_SERVICE_TYPE_H
#define ZONES_SERVICE_TYPE_H

#include "zone_state.h"

/* Find or make `<label>.<_tcp|_udp>`. A new one has no users and its reaping is put off.
 * NO_MEMORY. */
MUST_USE enum status service_type_get(struct zone *zone, struct name_padded name,
                                      struct service_type **out);
/* The same for a subtype. TOO_LARGE: its name would be too long. */
MUST_USE enum status service_type_get_subtype(struct zone *zone, struct service_type *type,
                                              const char *label, size_t label_len,
                                              struct service_type **out);
/* One more instance names it, or one less, with this TTL. NO_MEMORY. */
MUST_USE enum status service_type_add_user(struct zone *zone, struct service_type *set,
                                           uint32_t ttl_s);
void service_type_remove_user(struct zone *zone, struct service_type *set, uint32_t ttl_s);
/* Let the list of types hold it, from the next publication on if it has members then. NO_MEMORY. */
MUST_USE enum status service_type_list(struct zone *zone, struct service_type *type);
/* Something is to be published. */
void service_type_touch(struct zone *zone, struct service_type *set);
/* Publish all that was touched, in publishing order. */
void service_type_publish_all(struct zone *zone);
/* Gone when nobody names it. */
void service_type_reap(struct zone *zone, struct service_type *set);
/* Without readers. */
void service_type_free(struct service_type *set);

#endif
