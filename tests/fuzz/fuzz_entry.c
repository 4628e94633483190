/* Values of services: parse, render, parse again gives the same; their strings as labels and TXT
 * data. */
#include "registry/entry.h"
#include "registry/key.h"
#include "zones/name/label.h"
#include "zones/name/txt.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool is_same(struct entry_string a, struct entry_string b)
{
    return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

static void check_same(const struct entry *a, const struct entry *b)
{
    check(is_same(a->location_text, b->location_text) && a->location.port == b->location.port);
    check(a->protocol == b->protocol && a->is_draining == b->is_draining);
    check(a->has_priority == b->has_priority && a->priority == b->priority);
    check(a->has_weight == b->has_weight && a->weight == b->weight);
    check(a->txt_count == b->txt_count && a->subtype_count == b->subtype_count);
    for (uint16_t i = 0; i < a->txt_count; i++)
        check(is_same(a->txt[i], b->txt[i]));
    for (uint16_t i = 0; i < a->subtype_count; i++)
        check(is_same(a->subtypes[i], b->subtypes[i]));
}

static void try_round_trip(const struct entry *entry)
{
    struct entry again;
    struct detail why;
    char *text, *text_again;
    size_t len, len_again;
    enum status status = entry_render(entry, &text, &len);
    check(status == STATUS_OK && len <= ENTRY_VALUE_MAX && !memchr(text, '\n', len));
    check(entry_parse(text, len, &again, &why) == STATUS_OK);
    check(again.ignored == 0);
    check_same(entry, &again);
    status = entry_render(&again, &text_again, &len_again);
    check(status == STATUS_OK && len == len_again && memcmp(text, text_again, len) == 0);
    entry_clear(&again);
    free(text);
    free(text_again);
}

/* The strings fill the data to its end. */
static void check_strings(const uint8_t *data, size_t len)
{
    size_t at = 0;
    check(len > 0);
    while (at < len)
        at += 1U + data[at];
    check(at == len);
}

static void try_txt(const struct entry *entry)
{
    static uint8_t out[TXT_INSTANCE_SIZE_MAX];
    struct txt_place place;
    const char *base = entry->location_text.text;
    size_t base_len = entry->location_text.len;
    size_t len =
        txt_instance(entry->txt, entry->txt_count, base, base_len, out, sizeof(out), &place);
    check_strings(out, len);
    check(place.len > 0 && place.at + place.len <= len);
}

static void try_labels(const char *text, size_t len)
{
    struct label label;
    struct label_type type, again;
    bool is_mangled;
    uint8_t wire[NAME_MAX_LEN];
    size_t wire_len;
    label_instance(text, len, &label, &is_mangled);
    check(label.len >= 1 && label.len <= NAME_LABEL_MAX);
    label_type(text, len, &type);
    check(type.label.len >= 2 && type.label.len <= NAME_LABEL_MAX && type.label.octets[0] == '_');
    label_type((const char *)type.label.octets, type.label.len, &again);
    check(again.label.len == type.label.len && !again.is_changed);
    check(memcmp(again.label.octets, type.label.octets, type.label.len) == 0);
    check(type.is_reserved ==
          (type.label.len == 7 && memcmp(type.label.octets, "_dns-sd", 7) == 0));
    if (label_switch(text, len, wire, &wire_len) == STATUS_OK)
        check_strings(wire, wire_len);
}

static void try_switch(const char *text, size_t len)
{
    static uint8_t out[TXT_SWITCH_SIZE_MAX];
    size_t out_len;
    if (txt_switch(text, len, out, sizeof(out), &out_len) == STATUS_OK)
        check_strings(out, out_len);
    else
        check(len > TXT_SWITCH_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct entry entry;
    struct detail why;
    try_labels(text, size);
    try_switch(text, size);
    if (entry_parse(text, size, &entry, &why) != STATUS_OK)
        return 0;
    try_round_trip(&entry);
    try_txt(&entry);
    for (uint16_t i = 0; i < entry.txt_count; i++)
        try_labels(entry.txt[i].text, entry.txt[i].len);
    for (uint16_t i = 0; i < entry.subtype_count; i++)
        check(entry_check_subtype(entry.subtypes[i].text, entry.subtypes[i].len, &why) ==
                  STATUS_OK ||
              entry.subtypes[i].text[0] == '_');
    entry_clear(&entry);
    return 0;
}
