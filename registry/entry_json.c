/* The value is measured first and written then by the same code: one allocation, no growing. */
#include "entry.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

struct writer {
    char *out; /* NULL: only measure */
    size_t len;
};

static void entry_json_put(struct writer *writer, const char *text, size_t len)
{
    if (writer->out)
        memcpy(writer->out + writer->len, text, len);
    writer->len += len;
}

static void entry_json_put_string(struct writer *writer, const char *text)
{
    entry_json_put(writer, text, strlen(text));
}

/* RFC 8259 7: the quote, the backslash and what is below 0x20 must be escaped; 0x7f is, too, so
 * that nobody's terminal gets one. */
static void entry_json_put_quoted(struct writer *writer, const char *text, size_t len)
{
    entry_json_put_string(writer, "\"");
    for (size_t i = 0; i < len; i++) {
        char escaped[8];
        if (text[i] == '"' || text[i] == '\\')
            entry_json_put_string(writer, "\\");
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f) {
            snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned)(uint8_t)text[i]);
            entry_json_put_string(writer, escaped);
        } else {
            entry_json_put(writer, text + i, 1);
        }
    }
    entry_json_put_string(writer, "\"");
}

static void entry_json_put_number(struct writer *writer, const char *name, uint16_t number)
{
    char text[48];
    snprintf(text, sizeof(text), ",\"%s\":%u", name, (unsigned)number);
    entry_json_put_string(writer, text);
}

static void entry_json_put_txt(struct writer *writer, const struct entry *entry)
{
    entry_json_put_string(writer, ",\"txt\":{");
    for (uint16_t i = 0; i < entry->txt_count; i++) {
        const struct entry_string *pair = &entry->txt[i];
        const char *equals = pair->len > 0 ? memchr(pair->text, '=', pair->len) : NULL;
        size_t key_len = equals ? (size_t)(equals - pair->text) : pair->len;
        entry_json_put_string(writer, i > 0 ? "," : "");
        entry_json_put_quoted(writer, pair->text, key_len);
        entry_json_put_string(writer, ":");
        if (equals)
            entry_json_put_quoted(writer, equals + 1, pair->len - key_len - 1);
        else
            entry_json_put_string(writer, "true");
    }
    entry_json_put_string(writer, "}");
}

/* A reader takes one leading '_' away: what begins with one needs another. */
static void entry_json_put_subtype(struct writer *writer, const struct entry_string *subtype)
{
    char text[1 + ENTRY_SUBTYPE_MAX] = "_";
    bool is_longer = subtype->len > 0 && subtype->text[0] == '_' && subtype->len < sizeof(text);
    if (is_longer)
        memcpy(text + 1, subtype->text, subtype->len);
    entry_json_put_quoted(writer, is_longer ? text : subtype->text, subtype->len + is_longer);
}

static void entry_json_put_subtypes(struct writer *writer, const struct entry *entry)
{
    entry_json_put_string(writer, ",\"subtypes\":[");
    for (uint16_t i = 0; i < entry->subtype_count; i++) {
        entry_json_put_string(writer, i > 0 ? "," : "");
        entry_json_put_subtype(writer, &entry->subtypes[i]);
    }
    entry_json_put_string(writer, "]");
}

static void entry_json_put_object(struct writer *writer, const struct entry *entry)
{
    entry_json_put_string(writer, "{\"location\":");
    entry_json_put_quoted(writer, entry->location_text.text, entry->location_text.len);
    if (entry->protocol != ENTRY_PROTOCOL_NONE)
        entry_json_put_string(writer, entry->protocol == ENTRY_PROTOCOL_TCP
                                          ? ",\"protocol\":\"tcp\""
                                          : ",\"protocol\":\"udp\"");
    if (entry->has_priority)
        entry_json_put_number(writer, "priority", entry->priority);
    if (entry->has_weight)
        entry_json_put_number(writer, "weight", entry->weight);
    if (entry->txt_count > 0)
        entry_json_put_txt(writer, entry);
    if (entry->subtype_count > 0)
        entry_json_put_subtypes(writer, entry);
    if (entry->is_draining)
        entry_json_put_string(writer, ",\"state\":\"draining\"");
    entry_json_put_string(writer, "}");
}

static bool entry_json_is_plain(const struct entry *entry)
{
    return entry->protocol == ENTRY_PROTOCOL_NONE && !entry->has_priority && !entry->has_weight &&
           !entry->is_draining && entry->txt_count == 0 && entry->subtype_count == 0;
}

static void entry_json_put_value(struct writer *writer, const struct entry *entry)
{
    if (entry_json_is_plain(entry))
        entry_json_put(writer, entry->location_text.text, entry->location_text.len);
    else
        entry_json_put_object(writer, entry);
}

enum status entry_render(const struct entry *entry, char **out, size_t *out_len)
{
    struct writer writer = {.out = NULL};
    entry_json_put_value(&writer, entry);
    if (writer.len > ENTRY_VALUE_MAX)
        return STATUS_TOO_LARGE;
    char *text = cJSON_malloc(writer.len + 1);
    if (!text)
        return STATUS_NO_MEMORY;
    writer = (struct writer){.out = text};
    entry_json_put_value(&writer, entry);
    text[writer.len] = '\0';
    *out = text;
    *out_len = writer.len;
    return STATUS_OK;
}
