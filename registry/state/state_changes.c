#include "state_changes.h"

#include <string.h>

/* What stands before the key and the value, of whatever alignment. */
struct state_changes_head {
    uint32_t kind, key_len, value_len;
    int64_t lease, mod_revision;
};

void state_changes_add_kv(struct buffer *changes, enum state_change_kind kind, const struct kv *kv)
{
    struct state_changes_head head = {.kind = kind,
                                      .key_len = (uint32_t)kv->key_len,
                                      .value_len = (uint32_t)kv->value_len,
                                      .lease = kv->lease,
                                      .mod_revision = kv->mod_revision};
    buffer_add(changes, &head, sizeof(head));
    buffer_add(changes, kv->key, kv->key_len);
    buffer_add(changes, kv->value, kv->value_len);
}

void state_changes_add_clear(struct buffer *changes, uint64_t generation)
{
    struct state_changes_head head = {.kind = STATE_CHANGE_CLEAR,
                                      .mod_revision = (int64_t)generation};
    buffer_add(changes, &head, sizeof(head));
}

void state_changes_add_mark(struct buffer *changes, const struct state_mark *mark)
{
    struct state_changes_head head = {.kind = STATE_CHANGE_MARK};
    buffer_add(changes, &head, sizeof(head));
    buffer_add(changes, mark, sizeof(*mark));
}

void state_changes_next(const uint8_t **at, struct state_change *out)
{
    struct state_changes_head head;
    memcpy(&head, *at, sizeof(head));
    *at += sizeof(head);
    *out = (struct state_change){.kind = head.kind,
                                 .kv = {.key = (const char *)*at,
                                        .key_len = head.key_len,
                                        .value = (const char *)*at + head.key_len,
                                        .value_len = head.value_len,
                                        .lease = head.lease,
                                        .mod_revision = head.mod_revision}};
    *at += head.key_len + head.value_len;
    if (head.kind != STATE_CHANGE_MARK)
        return;
    memcpy(&out->mark, *at, sizeof(out->mark));
    *at += sizeof(out->mark);
}
