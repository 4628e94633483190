/* zones/host_view.h - <type>.service and <name>.<type>.service: names that nothing is stored for.
 *
 * A host view shows a type, or an instance whose label is a host's, as a host: its addresses and
 * SRV records. It joins what _tcp and _udp have under the same labels, and is looked up under the
 * names that those have: "a.http.service" as "a._http._tcp" and "a._http._udp".
 *
 * Threads: readers (zones/store/rcu.h), or the control thread. */
#ifndef ZONES_HOST_VIEW_H
#define ZONES_HOST_VIEW_H

#include "instance_iter.h"
#include "view.h"

#define HOST_VIEW_LABEL "\7service"

/* Whether the last label of `len` octets of a folded name, which begins at octet `last`, is the
 * views'; of those below the zone. */
static inline bool host_view_is(const uint8_t *name, size_t len, size_t last)
{
    return last + 8 == len && memcmp(name + last, HOST_VIEW_LABEL, 8) == 0;
}

/* From a view's name, `len` octets of a folded name below the zone whose labels begin at `labels`,
 * make in place what it is looked up by, ending in _tcp: it is shorter. Returns its length; 0:
 * there cannot be such a view. */
size_t host_view_to_key(uint8_t *name, size_t len, const uint8_t *labels, unsigned label_count);

/* The instances of both names, by the one that ends in _tcp: folded, with its hash. False when
 * neither exists. Loads what `out` holds of the sets. */
bool host_view_find(const struct view *view, struct name_padded key, uint64_t hash,
                    struct instance_source *out);

/* The other way round, for whoever shows a zone whole. The name below the zone of the view that
 * shows a type or an instance. Returns its length; 0: there is none, since the label is no host's
 * or the name too long. */
size_t host_view_name(const struct view *view, const struct node *node, uint8_t out[NAME_MAX_LEN]);

/* What the view of a type or an instance joins. False: it is to be shown with that of the same
 * labels in _tcp. */
bool host_view_of(const struct view *view, const struct node *node, struct instance_source *out);

#endif
