#include "registration.h"

#include <stdlib.h>
#include <string.h>

/* Note what is wrong with a field. Returns `status`. */
static enum status registration_fault(struct fault *fault, enum registration_field field,
                                      const char *value, enum status status)
{
    fault->field = (int)field;
    fault->value = value;
    return status;
}

/* Each part by itself: key_of_service() says only in its text which of the two is wrong, and the
 * caller needs the field. */
enum status registration_key(const struct key_root *root, const char *type, const char *name,
                             struct kv_key *out, struct fault *fault)
{
    if (key_check_type(type, &fault->why) != STATUS_OK)
        return registration_fault(fault, REGISTRATION_TYPE, type, STATUS_BAD_INPUT);
    if (key_check_name(name, &fault->why) != STATUS_OK)
        return registration_fault(fault, REGISTRATION_NAME, name, STATUS_BAD_INPUT);
    return key_of_service(root, type, name, out, &fault->why);
}

/* Strings of one kind: pairs, or subtypes. */
struct registration_list {
    enum registration_field field;
    const char *const *texts;
    size_t count, max;
    enum status (*check)(const char *text, size_t len, struct detail *why);
};

/* Check them. OK: *out is one block, NULL where there are none. The texts stay the caller's:
 * nothing is copied before the whole is rendered. */
static enum status registration_strings(const struct registration_list *list,
                                        struct entry_string **out, uint16_t *count,
                                        struct fault *fault)
{
    struct detail *why = &fault->why;
    registration_fault(fault, list->field, NULL, STATUS_OK);
    if (list->count == 0)
        return STATUS_OK;
    if (list->count > list->max)
        return detail_set(why, STATUS_BAD_INPUT, "more than %zu of them", list->max);
    struct entry_string *strings = calloc(list->count, sizeof(*strings));
    if (!strings)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    for (size_t i = 0; i < list->count; i++) {
        const char *text = list->texts[i];
        strings[i] = (struct entry_string){text, strlen(text)};
        if (list->check(text, strings[i].len, why) != STATUS_OK) {
            free(strings);
            return registration_fault(fault, list->field, text, STATUS_BAD_INPUT);
        }
    }
    *out = strings;
    *count = (uint16_t)list->count;
    return STATUS_OK;
}

static enum status registration_pairs(const struct registration_fields *fields, struct entry *entry,
                                      struct fault *fault)
{
    const struct registration_list pairs = {REGISTRATION_TXT, fields->txt, fields->txt_count,
                                            ENTRY_TXT_MAX, entry_check_txt};
    size_t size = 0;
    enum status status = registration_strings(&pairs, &entry->txt, &entry->txt_count, fault);
    for (size_t i = 0; i < entry->txt_count; i++)
        size += entry->txt[i].len + 1;
    if (status == STATUS_OK && size > ENTRY_TXT_SIZE_MAX)
        status = detail_set(&fault->why, STATUS_BAD_INPUT, "together longer than %d octets",
                            ENTRY_TXT_SIZE_MAX);
    return status;
}

/* Entries have them without a leading '_'. */
static enum status registration_subtypes(const struct registration_fields *fields,
                                         struct entry *entry, struct fault *fault)
{
    const struct registration_list subtypes = {REGISTRATION_SUBTYPE, fields->subtypes,
                                               fields->subtype_count, ENTRY_SUBTYPES_MAX,
                                               entry_check_subtype};
    enum status status =
        registration_strings(&subtypes, &entry->subtypes, &entry->subtype_count, fault);
    for (size_t i = 0; i < entry->subtype_count; i++) {
        struct entry_string *subtype = &entry->subtypes[i];
        size_t skipped = subtype->text[0] == '_';
        *subtype = (struct entry_string){subtype->text + skipped, subtype->len - skipped};
    }
    return status;
}

static enum status registration_fill(const struct registration_fields *fields, struct entry *entry,
                                     struct fault *fault)
{
    entry->location_text = (struct entry_string){fields->location, strlen(fields->location)};
    enum status status =
        address_parse(fields->location, entry->location_text.len, &entry->location, &fault->why);
    registration_fault(fault, REGISTRATION_LOCATION, fields->location, status);
    if (status == STATUS_OK)
        status = registration_pairs(fields, entry, fault);
    if (status == STATUS_OK)
        status = registration_subtypes(fields, entry, fault);
    /* A reader would drop one of the two, and it need not be the one that is meant. */
    if (status == STATUS_OK && entry_sort(entry) > 0) {
        detail_set(&fault->why, STATUS_BAD_INPUT, "a key is given twice");
        status = registration_fault(fault, REGISTRATION_TXT, NULL, STATUS_BAD_INPUT);
    }
    return status;
}

enum status registration_build(const struct key_root *root,
                               const struct registration_fields *fields, struct registration *out,
                               struct fault *fault)
{
    struct registration made = {.value = NULL};
    struct entry entry = {.protocol = fields->protocol,
                          .has_priority = fields->has_priority,
                          .has_weight = fields->has_weight,
                          .priority = fields->priority,
                          .weight = fields->has_weight ? fields->weight : 1, /* as entry_parse() */
                          .is_draining = fields->is_draining};
    enum status status = registration_key(root, fields->type, fields->name, &made.key, fault);
    if (status == STATUS_OK)
        status = registration_fill(fields, &entry, fault);
    if (status == STATUS_OK) {
        made.is_unspecified = address_is_unspecified(&entry.location);
        /* Its own form, and not what was given: plain text wherever the location says all. */
        status = entry_render(&entry, &made.value, &made.value_len);
        if (status != STATUS_OK)
            detail_set(&fault->why, status, "%s", status_text(status));
        registration_fault(fault, REGISTRATION_ENTRY, NULL, status);
    }
    if (status == STATUS_OK)
        *out = made;
    free(entry.txt);
    free(entry.subtypes);
    return status;
}

void registration_clear(struct registration *registration)
{
    free(registration->value);
    *registration = (struct registration){.value = NULL};
}
