/* registry/state/state_changes.h - changes on their way to the writer, one after the other in a row
 * of octets.
 *
 * Threads: pure. */
#ifndef REGISTRY_STATE_STATE_CHANGES_H
#define REGISTRY_STATE_STATE_CHANGES_H

#include "registry/base/buffer.h"
#include "state_types.h"

enum state_change_kind {
    STATE_CHANGE_PUT,
    STATE_CHANGE_REMOVE, /* kv.key */
    STATE_CHANGE_CLEAR,  /* what follows is all that there is */
    STATE_CHANGE_MARK    /* what came so far is one whole state */
};

struct state_change {
    enum state_change_kind kind;
    struct kv kv;
    struct state_mark mark;
};

void state_changes_add_kv(struct buffer *changes, enum state_change_kind kind, const struct kv *kv);
/* The generation is found in kv.mod_revision. */
void state_changes_add_clear(struct buffer *changes, uint64_t generation);
void state_changes_add_mark(struct buffer *changes, const struct state_mark *mark);

/* The change that begins at *at, and *at behind it; what it points at is borrowed. `octets` came
 * from the above, as whole changes. */
void state_changes_next(const uint8_t **at, struct state_change *out);

#endif
