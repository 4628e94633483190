/* zones/draft.h - from a service's key and value to the octets of its instance: its name, the TXT
 * data, the host that it points at.
 *
 * Threads: pure, but for the memory of draft_instance(). */
#ifndef ZONES_DRAFT_H
#define ZONES_DRAFT_H

#include "key_node.h"
#include "registry/key.h"
#include "zones/name/label.h"
#include "zones/name/txt.h"

struct draft {
    struct label_type type;
    struct label label;
    bool is_mangled, key_is_derived;
    struct name_buffer name;
    size_t type_at; /* where in the name the type's begins */
    uint8_t host[NAME_MAX_LEN];
    size_t host_len;
    uint8_t txt[TXT_INSTANCE_SIZE_MAX];
    size_t txt_len;
    struct txt_place type_place;
};

/* SKIP_NONE: *out is whole; else why the key cannot be served. */
enum skip draft_make(const struct zone *zone, const struct key_parts *parts,
                     const struct entry *entry, struct draft *out);
/* A block of all that, referring to nothing yet. NULL without memory. */
struct instance *draft_instance(const struct draft *draft, const struct entry *entry,
                                const struct change *change);

#endif
