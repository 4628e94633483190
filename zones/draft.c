#include "draft.h"

#include "names.h"
#include "target.h"

static_assert(ENTRY_VALUE_MAX / 2 <= UINT16_MAX, "struct instance counts what is ignored");

static void draft_set_txt(const struct entry *entry, struct draft *draft)
{
    bool has_type = draft->type.is_changed;
    draft->txt_len = 0;
    draft->type_place = (struct txt_place){0};
    /* The empty string of those that have nothing to say is not kept a million times: rrsets_txt(). */
    if (entry->txt_count > 0 || has_type)
        draft->txt_len =
            txt_instance(entry->txt, entry->txt_count, has_type ? draft->type.base : NULL,
                         draft->type.base_len, draft->txt, sizeof(draft->txt), &draft->type_place);
}

/* <label>.<type>.<_tcp|_udp> */
/* Two names have to fit into 255 octets: its own, and that of its host, which stands in the data of
 * its SRV record. */
static enum skip draft_set_name(const struct zone *zone, const struct entry *entry,
                                struct draft *draft)
{
    enum entry_protocol protocol = draft->type.protocol;
    if (protocol == ENTRY_PROTOCOL_NONE)
        protocol = entry->protocol;
    size_t len = 2u + draft->label.len + draft->type.label.len + 5;
    if (len + zone->view.wire.len > NAME_MAX_LEN)
        return SKIP_NAME_TOO_LONG;
    if (entry->location.kind == HOST_KIND_NAME && !entry->location.is_dotted &&
        draft->host_len + zone->view.host.len > NAME_MAX_LEN)
        return SKIP_NAME_TOO_LONG;
    uint8_t *at = draft->name.octets;
    *at++ = draft->label.len;
    at = mempcpy(at, draft->label.octets, draft->label.len);
    draft->type_at = (size_t)(at - draft->name.octets);
    *at++ = draft->type.label.len;
    at = mempcpy(at, draft->type.label.octets, draft->type.label.len);
    memcpy(at, protocol == ENTRY_PROTOCOL_UDP ? "\4_udp" : "\4_tcp", 5);
    draft->name.len = (uint8_t)len;
    return SKIP_NONE;
}

enum skip draft_make(const struct zone *zone, const struct key_parts *parts,
                     const struct entry *entry, struct draft *draft)
{
    label_type(parts->type, parts->type_len, &draft->type);
    if (draft->type.is_reserved)
        return SKIP_RESERVED;
    label_instance(parts->name, parts->name_len, &draft->label, &draft->is_mangled);
    /* In the type's own letters, since keys tell them apart and names do not. */
    draft->key_is_derived = !draft->is_mangled && parts->type_len + 1 == draft->type.label.len &&
                            memcmp(parts->type, draft->type.label.octets + 1, parts->type_len) == 0;
    bool is_host = entry->location.kind == HOST_KIND_NAME;
    draft->host_len = is_host ? target_host_wire(&entry->location, draft->host) : 0;
    draft_set_txt(entry, draft);
    return draft_set_name(zone, entry, draft);
}

struct instance *draft_instance(const struct draft *draft, const struct entry *entry,
                                const struct change *change)
{
    size_t stored_key = draft->key_is_derived ? 0 : change->key_len;
    size_t location = entry->location_text.len;
    struct instance *instance =
        names_new(NODE_INSTANCE, sizeof(*instance), draft->name.octets, draft->name.len,
                  draft->txt_len + location + draft->host_len + stored_key);
    if (!instance)
        return NULL;
    instance->key.ttl_s = change->ttl_s;
    instance->key.key_len = (uint16_t)stored_key;
    instance->priority = entry->priority;
    /* RFC 2782: very little chance of being selected; HAProxy sends no new clients at all. */
    instance->weight = entry->is_draining ? 0 : entry->weight;
    instance->port = entry->location.port;
    instance->txt_len = (uint16_t)draft->txt_len;
    instance->type_at = (uint16_t)draft->type_place.at;
    instance->type_len = (uint16_t)draft->type_place.len;
    instance->location_len = (uint16_t)location;
    instance->host_len = (uint8_t)draft->host_len;
    instance->name_is_label = !draft->is_mangled;
    instance->host_is_whole = entry->location.is_dotted;
    instance->position = MEMBER_VECTOR_NONE;
    instance->ignored = (uint16_t)entry->ignored;
    /* In the order in which node.h takes them apart: instance_txt() and what follows. */
    uint8_t *at = (uint8_t *)(instance + 1) + draft->name.len;
    at = mempcpy(at, draft->txt, draft->txt_len);
    at = mempcpy(at, entry->location_text.text, location);
    at = mempcpy(at, draft->host, draft->host_len);
    memcpy(at, change->key, stored_key);
    return instance;
}
