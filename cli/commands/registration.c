#include "registration.h"

#include "registry/entry.h"

#include <stdlib.h>
#include <string.h>

enum status registration_identify(const struct options *options, const struct key_root *root,
                                  struct registration_id *out, struct detail *why)
{
    static const char good[] = "x";
    struct registration_id id = {.type = options_text(options, OPTION_SERVICE_TYPE),
                                 .name = options_text(options, OPTION_SERVICE_NAME)};
    if (key_of_service(root, id.type, good, &id.key, why) != STATUS_OK)
        return options_fault(options, OPTION_SERVICE_TYPE, id.type, why);
    if (key_of_service(root, id.type, id.name, &id.key, why) != STATUS_OK)
        return options_fault(options, OPTION_SERVICE_NAME, id.name, why);
    *out = id;
    return STATUS_OK;
}

/* The strings of a repeatable option, checked, in one block; without a leading '_' of subtypes, as
 * entries have them. */
static enum status
registration_read_strings(const struct options *options, enum option_id id,
                          enum status (*check)(const char *, size_t, struct detail *), size_t max,
                          struct entry_string **out, size_t *count, struct detail *why)
{
    size_t wanted = options_count(options, id);
    if (wanted == 0)
        return STATUS_OK;
    if (wanted > max)
        return detail_set(why, STATUS_BAD_INPUT, "--%s: more than %zu of them",
                          option_row(id)->name, max);
    struct entry_string *strings = calloc(wanted, sizeof(*strings));
    if (!strings)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    for (size_t i = 0; i < wanted; i++) {
        const char *text = options_item(options, id, i);
        if (check(text, strlen(text), why) != STATUS_OK) {
            free(strings);
            return options_fault(options, id, text, why);
        }
        size_t skipped = id == OPTION_SERVICE_SUBTYPE && text[0] == '_';
        strings[i] = (struct entry_string){text + skipped, strlen(text) - skipped};
    }
    *out = strings;
    *count = wanted;
    return STATUS_OK;
}

static enum status registration_read_pairs(const struct options *options, struct entry *entry,
                                           struct detail *why)
{
    size_t count = 0, size = 0;
    enum status status = registration_read_strings(options, OPTION_SERVICE_TXT, entry_check_txt,
                                                   ENTRY_TXT_MAX, &entry->txt, &count, why);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        size += entry->txt[i].len + 1;
    if (status == STATUS_OK && size > ENTRY_TXT_SIZE_MAX)
        status = detail_set(why, STATUS_BAD_INPUT, "--txt: together longer than %d octets",
                            ENTRY_TXT_SIZE_MAX);
    entry->txt_count = (uint16_t)count;
    return status;
}

static enum status registration_read_subtypes(const struct options *options, struct entry *entry,
                                              struct detail *why)
{
    size_t count = 0;
    enum status status =
        registration_read_strings(options, OPTION_SERVICE_SUBTYPE, entry_check_subtype,
                                  ENTRY_SUBTYPES_MAX, &entry->subtypes, &count, why);
    entry->subtype_count = (uint16_t)count;
    return status;
}

static enum status registration_read_location(const struct options *options, struct entry *entry,
                                              struct detail *why)
{
    const char *text = options_text(options, OPTION_SERVICE_LOCATION);
    if (address_parse(text, strlen(text), &entry->location, why) != STATUS_OK)
        return options_fault(options, OPTION_SERVICE_LOCATION, text, why);
    entry->location_text = (struct entry_string){text, strlen(text)};
    return STATUS_OK;
}

static void registration_read_numbers(const struct options *options, struct entry *entry)
{
    const char *protocol = options_text(options, OPTION_SERVICE_PROTOCOL);
    if (protocol)
        entry->protocol = strcmp(protocol, "udp") == 0 ? ENTRY_PROTOCOL_UDP : ENTRY_PROTOCOL_TCP;
    entry->has_priority = options_has(options, OPTION_SERVICE_PRIORITY);
    entry->has_weight = options_has(options, OPTION_SERVICE_WEIGHT);
    entry->priority = (uint16_t)options_number(options, OPTION_SERVICE_PRIORITY);
    entry->weight =
        entry->has_weight ? (uint16_t)options_number(options, OPTION_SERVICE_WEIGHT) : 1;
}

static enum status registration_read_value(const struct options *options,
                                           struct registration *registration, struct detail *why)
{
    struct entry entry = {0};
    registration_read_numbers(options, &entry);
    enum status status = registration_read_location(options, &entry, why);
    if (status == STATUS_OK) {
        registration->is_unspecified = address_is_unspecified(&entry.location);
        status = registration_read_pairs(options, &entry, why);
    }
    if (status == STATUS_OK)
        status = registration_read_subtypes(options, &entry, why);
    if (status == STATUS_OK && entry_sort(&entry) > 0)
        status = detail_set(why, STATUS_BAD_INPUT, "--txt: a key is given twice");
    if (status == STATUS_OK) {
        status = entry_render(&entry, &registration->value, &registration->value_len);
        if (status != STATUS_OK)
            detail_set(why, status, "the entry: %s", status_text(status));
    }
    free(entry.txt);
    free(entry.subtypes);
    return status;
}

enum status registration_read(const struct options *options, const struct key_root *root,
                              struct registration *out, struct detail *why)
{
    struct registration made = {.ttl_s = options_number(options, OPTION_SERVICE_TTL),
                                .refresh_s = options_number(options, OPTION_SERVICE_REFRESH)};
    enum status status = registration_identify(options, root, &made.id, why);
    if (status == STATUS_OK && made.ttl_s > 0 && made.refresh_s >= made.ttl_s)
        status = detail_set(why, STATUS_BAD_INPUT,
                            "--refresh-every \"%s\": not shorter than --ttl \"%s\"",
                            options_text(options, OPTION_SERVICE_REFRESH),
                            options_text(options, OPTION_SERVICE_TTL));
    if (status == STATUS_OK)
        status = registration_read_value(options, &made, why);
    if (status == STATUS_OK)
        *out = made;
    return status;
}

void registration_clear(struct registration *registration)
{
    free(registration->value);
    *registration = (struct registration){0};
}
