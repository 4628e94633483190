#include "entry_list.h"

#include "entry.h"
#include "registry/base/siphash.h"
#include "registry/etcd/lease.h"
#include "scan.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct entry_json entry_list_json = {", ", ": ", buffer_add_json};

void entry_list_write(struct buffer *out, const struct scan_row *row, bool is_service)
{
    struct entry entry;
    enum status status =
        is_service ? entry_parse(row->value, row->value_len, &entry, NULL) : STATUS_BAD_INPUT;
    bool is_entry = status == STATUS_OK;
    if (status == STATUS_NO_MEMORY)
        out->status = status;
    buffer_add_text(out, is_service ? "{\"service\": " : "{\"switch\": ");
    buffer_add_json(out, row->key, row->key_len);
    buffer_add_text(out, is_service ? ", \"location\": " : ", \"value\": ");
    if (is_entry)
        buffer_add_json(out, entry.location_text.text, entry.location_text.len);
    /* Not a string: whatever it held could be taken for the value. */
    else if (row->is_cut)
        buffer_add_text(out, "null");
    else
        buffer_add_json(out, row->value, row->value_len);
    if (row->lease != 0)
        buffer_printf(out, ", \"ttl\": %" PRId64, row->left_s);
    else
        buffer_add_text(out, ", \"ttl\": null");
    if (is_entry) {
        entry_render_members(out, &entry, &entry_list_json);
        entry_clear(&entry);
    }
    buffer_add_text(out, "}");
}

/* A list is read to be written: a name that is misspelt would silently lose what it says. */
static bool entry_list_is_known(const char *name)
{
    static const char *const known[] = {"service", "location", "ttl",      "protocol", "priority",
                                        "weight",  "txt",      "subtypes", "state"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

static enum status entry_list_check_names(const cJSON *object, struct detail *why)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        if (!entry_list_is_known(item->string))
            return detail_set(why, STATUS_BAD_INPUT, "unknown member \"%s\"", item->string);
        /* cJSON gives the first of two, other readers the last: nobody can know which is meant. */
        if (cJSON_GetObjectItemCaseSensitive(object, item->string) != item)
            return detail_set(why, STATUS_BAD_INPUT, "member \"%s\" is given twice", item->string);
    }
    return STATUS_OK;
}

/* *service: for messages, once it is known. */
static enum status entry_list_read_key(const cJSON *object, const struct key_root *root,
                                       struct kv_key *out, const char **service, struct detail *why)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, "service");
    if (!cJSON_IsString(item))
        return detail_set(why, STATUS_BAD_INPUT,
                          item ? "member \"service\": not a string" : "no member \"service\"");
    struct kv_key prefix;
    char type[KV_KEY_MAX + 1];
    const char *name = item->valuestring;
    key_prefix(root, KEY_SERVICES, &prefix);
    *service = name;
    if (*name == '/' && strncmp(name, prefix.text, prefix.len) != 0)
        return detail_set(why, STATUS_BAD_INPUT, "not below %s", prefix.text);
    name += *name == '/' ? prefix.len : 0;
    size_t type_len = strcspn(name, "/");
    if (name[type_len] == '\0' || type_len > KV_KEY_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "neither a key nor TYPE/NAME");
    memcpy(type, name, type_len);
    type[type_len] = '\0';
    return key_of_service(root, type, name + type_len + 1, out, why);
}

/* A lease in its last second has 0 left, and what was listed then must be readable: it gets 1. Up
 * to etcd's bound cJSON's doubles are exact. */
static enum status entry_list_read_ttl(const cJSON *object, uint64_t *out, struct detail *why)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, "ttl");
    if (!item || cJSON_IsNull(item))
        return STATUS_OK;
    double ttl_s = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (!(ttl_s >= 0 && ttl_s <= (double)LEASE_TTL_MAX_S) || ttl_s > (double)(uint64_t)ttl_s)
        return detail_set(why, STATUS_BAD_INPUT,
                          "member \"ttl\": neither null nor whole seconds from 0 to %lld",
                          (long long)LEASE_TTL_MAX_S);
    *out = ttl_s < 1 ? 1 : (uint64_t)ttl_s;
    return STATUS_OK;
}

/* The element is read as if it were a value, since entry_parse() ignores the members that it does
 * not know: `service` and `ttl`. What it makes of the others is rendered anew, without those
 * two. */
static enum status entry_list_read_value(const char *text, size_t len, struct entry_list_item *item,
                                         struct detail *why)
{
    struct entry entry;
    enum status status = entry_parse(text, len, &entry, why);
    if (status != STATUS_OK)
        return status;
    item->is_unspecified = address_is_unspecified(&entry.location);
    if (entry.ignored > 0)
        status = detail_set(why, STATUS_BAD_INPUT,
                            "member \"%s\": something is of the wrong type, out of range or given "
                            "twice",
                            entry.ignored_member);
    else
        status = entry_render(&entry, &item->value, &item->value_len);
    if (status == STATUS_TOO_LARGE)
        status = detail_set(why, STATUS_BAD_INPUT, "longer than %d octets", ENTRY_VALUE_MAX);
    else if (status == STATUS_NO_MEMORY)
        detail_set(why, status, "%s", status_text(status));
    entry_clear(&entry);
    return status;
}

/* cJSON's strings end at a NUL: U+0000 becomes U+0001, which no name may have either. */
static cJSON *entry_list_parse(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    for (char *at = copy; (at = strchr(at, '\\')) && at[1]; at += 2)
        if (strncmp(at, "\\u0000", 6) == 0)
            at[5] = '1';
    cJSON *object = cJSON_ParseWithLength(copy, len + 1);
    free(copy);
    return object;
}

static enum status entry_list_read_members(const struct entry_list *list, const cJSON *object,
                                           const char *text, size_t len,
                                           struct entry_list_item *item, struct detail *why)
{
    const char *service = NULL;
    enum status status = entry_list_read_key(object, list->root, &item->key, &service, why);
    if (status == STATUS_OK)
        status = entry_list_check_names(object, why);
    if (status == STATUS_OK)
        status = entry_list_read_ttl(object, &item->ttl_s, why);
    if (status == STATUS_OK)
        status = entry_list_read_value(text, len, item, why);
    if (status != STATUS_OK && service)
        detail_wrap(why, status, "\"%.200s\"", service);
    return status;
}

/* An element. item->value is to be freed, whatever comes of it. */
static enum status entry_list_read(struct entry_list *list, const char *text, size_t len,
                                   struct entry_list_item *item)
{
    /* No JSON has a raw NUL, at which a string of cJSON's would end. */
    errno = 0; /* cJSON returns NULL for both; malloc() tells them apart */
    cJSON *object = memchr(text, '\0', len) ? NULL : entry_list_parse(text, len);
    enum status status = object ? STATUS_OK : errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_BAD_INPUT;
    if (object)
        status = entry_list_read_members(list, object, text, len, item, &list->why);
    else
        detail_set(&list->why, status, "%s",
                   status == STATUS_BAD_INPUT ? "not JSON" : status_text(status));
    cJSON_Delete(object);
    return status;
}

/* Whether it came before: else the order of the list would not say which of two counts, as
 * transactions overtake each other. 8 octets of each key are kept. */
static enum status entry_list_remember(struct entry_list *list, const struct kv_key *key,
                                       struct detail *why)
{
    uint64_t hash;
    bool is_new;
    siphash(list->seed, key->text, key->len, (uint8_t *)&hash);
    enum status status = hash_set_add(&list->known, &hash, &is_new);
    if (status != STATUS_OK)
        return detail_set(why, status, "%s", status_text(status));
    if (!is_new)
        return detail_set(why, STATUS_BAD_INPUT, "\"%.200s\": given twice", key->text);
    return STATUS_OK;
}

static enum status entry_list_on_element(void *arg, const char *text, size_t len)
{
    struct entry_list *list = arg;
    struct entry_list_item item = {.value = NULL};
    list->has_value = true;
    list->count++;
    enum status status = entry_list_read(list, text, len, &item);
    if (status == STATUS_OK)
        status = entry_list_remember(list, &item.key, &list->why);
    if (status != STATUS_OK)
        detail_wrap(&list->why, status, "entry %" PRIu64, list->count);
    else
        status = list->each(list->arg, &item, list->count);
    free(item.value);
    return status;
}

/* An array has ended. */
static enum status entry_list_on_rest(void *arg, const char *text, size_t len)
{
    struct entry_list *list = arg;
    (void)text, (void)len;
    list->has_value = true;
    return STATUS_OK;
}

void entry_list_init(struct entry_list *list, const struct key_root *root, const uint8_t seed[16],
                     entry_list_each *each, void *arg)
{
    static const struct json_split_events events = {.element = entry_list_on_element,
                                                    .outer = entry_list_on_rest};
    *list = (struct entry_list){.root = root, .each = each, .arg = arg, .known.words = 1};
    memcpy(list->seed, seed, sizeof(list->seed));
    json_split_init(&list->stream, NULL, NULL, &events, list);
}

void entry_list_clear(struct entry_list *list)
{
    json_split_clear(&list->stream);
    hash_set_clear(&list->known);
}

enum status entry_list_feed(struct entry_list *list, const char *text, size_t len,
                            struct detail *why)
{
    list->why.text[0] = '\0';
    enum status status = json_split_feed(&list->stream, text, len);
    if (status != STATUS_OK && list->why.text[0] == '\0')
        detail_set(&list->why, status, "%s behind entry %" PRIu64,
                   status == STATUS_BAD_REPLY ? "not an array of JSON objects"
                                              : status_text(status),
                   list->count);
    if (status != STATUS_OK)
        *why = list->why;
    return status;
}

enum status entry_list_finish(const struct entry_list *list, struct detail *why)
{
    if (!json_split_at_boundary(&list->stream))
        return detail_set(why, STATUS_BAD_REPLY, "cut off behind entry %" PRIu64, list->count);
    /* Most likely what was to write it has failed: nothing to register is an empty array. */
    if (!list->has_value)
        return detail_set(why, STATUS_BAD_REPLY, "empty: not even an empty array");
    return STATUS_OK;
}
