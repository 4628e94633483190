#include "listed.h"

#include "registry/entry.h"
#include "registry/etcd/lease.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool listed_is_known(const char *name)
{
    static const char *const known[] = {"service", "location", "ttl",      "protocol", "priority",
                                        "weight",  "txt",      "subtypes", "state"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

static enum status listed_check_names(const cJSON *object, struct detail *why)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        if (!listed_is_known(item->string))
            return detail_set(why, STATUS_BAD_INPUT, "unknown member \"%s\"", item->string);
        if (cJSON_GetObjectItemCaseSensitive(object, item->string) != item)
            return detail_set(why, STATUS_BAD_INPUT, "member \"%s\" is given twice", item->string);
    }
    return STATUS_OK;
}

/* *service: for messages, once it is known. */
static enum status listed_read_key(const cJSON *object, const struct key_root *root,
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

/* A lease in its last second has 0 left. */
static enum status listed_read_ttl(const cJSON *object, uint64_t *out, struct detail *why)
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

static enum status listed_read_value(const char *text, size_t len, struct listed *listed,
                                     struct detail *why)
{
    struct entry entry;
    enum status status = entry_parse(text, len, &entry, why);
    if (status != STATUS_OK)
        return status;
    listed->is_unspecified = address_is_unspecified(&entry.location);
    if (entry.ignored > 0)
        status = detail_set(why, STATUS_BAD_INPUT,
                            "member \"%s\": something is of the wrong type, out of range or given "
                            "twice",
                            entry.ignored_member);
    else
        status = entry_render(&entry, &listed->value, &listed->value_len);
    if (status == STATUS_TOO_LARGE)
        status = detail_set(why, STATUS_BAD_INPUT, "longer than %d octets", ENTRY_VALUE_MAX);
    entry_clear(&entry);
    return status;
}

/* cJSON's strings end at a NUL: U+0000 becomes U+0001, which no name may have either. */
static cJSON *listed_parse(const char *text, size_t len)
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

static enum status listed_read_members(const cJSON *object, const char *text, size_t len,
                                       const struct key_root *root, struct listed *out,
                                       struct detail *why)
{
    struct listed listed = {.ttl_s = 0};
    const char *service = NULL;
    enum status status = listed_read_key(object, root, &listed.key, &service, why);
    if (status == STATUS_OK)
        status = listed_check_names(object, why);
    if (status == STATUS_OK)
        status = listed_read_ttl(object, &listed.ttl_s, why);
    if (status == STATUS_OK)
        status = listed_read_value(text, len, &listed, why);
    if (status == STATUS_OK)
        *out = listed;
    else if (service)
        detail_wrap(why, status, "\"%.200s\"", service);
    return status;
}

enum status listed_read(const char *text, size_t len, const struct key_root *root,
                        struct listed *out, struct detail *why)
{
    cJSON *object = memchr(text, '\0', len) ? NULL : listed_parse(text, len);
    enum status status;
    if (object)
        status = listed_read_members(object, text, len, root, out, why);
    else
        status = detail_set(why, STATUS_BAD_INPUT, "not JSON");
    cJSON_Delete(object);
    return status;
}

void listed_clear(struct listed *listed)
{
    free(listed->value);
    *listed = (struct listed){.ttl_s = 0};
}
