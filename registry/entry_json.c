#include "entry.h"

#include <string.h>

/* RFC 8259 7: the quote, the backslash and what is below 0x20 must be escaped; 0x7f is, too, so
 * that nobody's terminal gets one. All else stays as it is, UTF-8 or not, so that what is written
 * again is the same. */
static void entry_json_render_quoted(struct buffer *out, const char *text, size_t len)
{
    buffer_add_text(out, "\"");
    for (size_t i = 0; i < len; i++) {
        uint8_t octet = (uint8_t)text[i];
        if (octet == '"' || octet == '\\')
            buffer_add_text(out, "\\");
        if (octet < 0x20 || octet == 0x7f)
            buffer_printf(out, "\\u%04x", octet);
        else
            buffer_add(out, &text[i], 1);
    }
    buffer_add_text(out, "\"");
}

static const struct entry_json entry_render_json = {",", ":", entry_json_render_quoted};

/* The reverse of entry_read_pair(): a key without '=' is `true`. */
static void entry_json_render_txt(struct buffer *out, const struct entry *entry,
                                  const struct entry_json *json)
{
    buffer_printf(out, "%s\"txt\"%s{", json->comma, json->colon);
    for (uint16_t i = 0; i < entry->txt_count; i++) {
        const struct entry_string *pair = &entry->txt[i];
        const char *equals = pair->len > 0 ? memchr(pair->text, '=', pair->len) : NULL;
        size_t key_len = equals ? (size_t)(equals - pair->text) : pair->len;
        buffer_add_text(out, i > 0 ? json->comma : "");
        json->quote(out, pair->text, key_len);
        buffer_add_text(out, json->colon);
        if (equals)
            json->quote(out, equals + 1, pair->len - key_len - 1);
        else
            buffer_add_text(out, "true");
    }
    buffer_add_text(out, "}");
}

/* A reader takes one leading '_' away: what begins with one needs another. */
static void entry_json_render_subtype(struct buffer *out, const struct entry_string *subtype,
                                      const struct entry_json *json)
{
    char text[1 + ENTRY_SUBTYPE_MAX] = "_";
    bool is_longer = subtype->len > 0 && subtype->text[0] == '_' && subtype->len < sizeof(text);
    if (is_longer)
        memcpy(text + 1, subtype->text, subtype->len);
    json->quote(out, is_longer ? text : subtype->text, subtype->len + is_longer);
}

static void entry_json_render_subtypes(struct buffer *out, const struct entry *entry,
                                       const struct entry_json *json)
{
    buffer_printf(out, "%s\"subtypes\"%s[", json->comma, json->colon);
    for (uint16_t i = 0; i < entry->subtype_count; i++) {
        buffer_add_text(out, i > 0 ? json->comma : "");
        entry_json_render_subtype(out, &entry->subtypes[i], json);
    }
    buffer_add_text(out, "]");
}

void entry_render_members(struct buffer *out, const struct entry *entry,
                          const struct entry_json *json)
{
    const char *comma = json->comma, *colon = json->colon;
    if (entry->protocol != ENTRY_PROTOCOL_NONE)
        buffer_printf(out, "%s\"protocol\"%s\"%s\"", comma, colon,
                      entry->protocol == ENTRY_PROTOCOL_TCP ? "tcp" : "udp");
    if (entry->has_priority)
        buffer_printf(out, "%s\"priority\"%s%u", comma, colon, entry->priority);
    if (entry->has_weight)
        buffer_printf(out, "%s\"weight\"%s%u", comma, colon, entry->weight);
    if (entry->txt_count > 0)
        entry_json_render_txt(out, entry, json);
    if (entry->subtype_count > 0)
        entry_json_render_subtypes(out, entry, json);
    /* "up" is not written: an entry without a state is up. */
    if (entry->is_draining)
        buffer_printf(out, "%s\"state\"%s\"draining\"", comma, colon);
}

static bool entry_json_render_is_plain(const struct entry *entry)
{
    return entry->protocol == ENTRY_PROTOCOL_NONE && !entry->has_priority && !entry->has_weight &&
           !entry->is_draining && entry->txt_count == 0 && entry->subtype_count == 0;
}

enum status entry_render(const struct entry *entry, char **out, size_t *out_len)
{
    struct buffer text;
    buffer_init(&text, ENTRY_VALUE_MAX);
    if (entry_json_render_is_plain(entry)) {
        buffer_add(&text, entry->location_text.text, entry->location_text.len);
    } else {
        buffer_add_text(&text, "{\"location\":");
        entry_json_render_quoted(&text, entry->location_text.text, entry->location_text.len);
        entry_render_members(&text, entry, &entry_render_json);
        buffer_add_text(&text, "}");
    }
    enum status status = text.status;
    if (status != STATUS_OK) {
        buffer_clear(&text);
        return status;
    }
    *out = text.data;
    *out_len = text.len;
    return STATUS_OK;
}
