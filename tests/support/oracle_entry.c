#include "oracle_entry.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -- labels */

static uint32_t oracle_fnv(const char *octets, size_t len)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)octets[i]) * 16777619u;
    return hash;
}

static bool oracle_is_alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool oracle_is_ldh(const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!oracle_is_alnum(reader_lower(octets[i])) && octets[i] != '-')
            return false;
    return len > 0 && octets[0] != '-' && octets[len - 1] != '-';
}

/* Letters and digits, a hyphen for whatever stands between them; at most 6 octets of that. */
static size_t oracle_runs(const uint8_t *folded, size_t len, char runs[256])
{
    size_t count = 0;
    for (size_t i = 0; i < len && count < 256; i++)
        if (oracle_is_alnum(folded[i]))
            runs[count++] = (char)folded[i];
        else if (count > 0 && runs[count - 1] != '-')
            runs[count++] = '-';
    count = count < 6 ? count : 6;
    while (count > 0 && runs[count - 1] == '-')
        count--;
    return count;
}

/* An odd base: a readable stem of at most 6 octets with a letter in it. */
static size_t oracle_stem(const uint8_t *folded, size_t len, char stem[16])
{
    char runs[256];
    size_t count = oracle_runs(folded, len, runs);
    bool has_letter = false;
    for (size_t i = 0; i < count; i++)
        has_letter = has_letter || runs[i] >= 'a';
    size_t out = 0;
    if (!has_letter)
        stem[out++] = 'x';
    for (size_t i = 0; i < count && out < 6; i++)
        stem[out++] = runs[i];
    return out;
}

void oracle_type_label(struct oracle_instance *instance)
{
    uint8_t folded[256] = {0};
    size_t len = instance->base_len;
    bool differs = false;
    for (size_t i = 0; i < len; i++) {
        folded[i] = reader_lower((uint8_t)instance->base[i]);
        differs = differs || folded[i] == '_';
        folded[i] = folded[i] == '_' ? '-' : folded[i];
    }
    instance->type_label.octets[0] = '_';
    instance->is_odd = differs;
    if (len <= 62 && oracle_is_ldh(folded, len)) {
        memcpy(instance->type_label.octets + 1, folded, len);
        instance->type_label.len = 1 + len;
        return;
    }
    char text[32], stem[16];
    size_t stem_len = oracle_stem(folded, len, stem);
    snprintf(text, sizeof(text), "%.*s-%08x", (int)stem_len, stem, oracle_fnv(instance->base, len));
    memcpy(instance->type_label.octets + 1, text, strlen(text));
    instance->type_label.len = 1 + strlen(text);
    instance->is_odd = true;
}

static bool oracle_is_control(char octet)
{
    return (uint8_t)octet < 0x20 || octet == 0x7f;
}

void oracle_instance_label(const char *name, size_t len, struct oracle_label *out)
{
    bool is_plain = len <= 63 && !(len == 1 && name[0] == '*');
    for (size_t i = 0; i < len; i++)
        is_plain = is_plain && !oracle_is_control(name[i]);
    size_t kept = len;
    if (!is_plain && len > 54)
        for (kept = 54; kept > 51 && ((uint8_t)name[kept] & 0xc0) == 0x80;)
            kept--;
    out->len = 0;
    for (size_t i = 0; i < kept; i++)
        out->octets[out->len++] = oracle_is_control(name[i]) ? '?' : (uint8_t)name[i];
    if (is_plain)
        return;
    char hash[16];
    snprintf(hash, sizeof(hash), "~%08x", oracle_fnv(name, len));
    memcpy(out->octets + out->len, hash, 9);
    out->len += 9;
}

/* -- values */

static bool oracle_port(const char *text, uint16_t *port)
{
    size_t len = strlen(text);
    if (len < 1 || len > 5 || strspn(text, "0123456789") != len)
        return false;
    long number = strtol(text, NULL, 10);
    *port = (uint16_t)number;
    return number >= 1 && number <= 65535;
}

static bool oracle_is_host_label(const char *label, size_t len)
{
    if (len == 0 || len > 63 || label[0] == '-' || label[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!oracle_is_alnum(reader_lower((uint8_t)label[i])) && !strchr("-_", label[i]))
            return false;
    return true;
}

static bool oracle_host_name(struct oracle_instance *instance)
{
    char *host = instance->host;
    size_t len = strlen(host);
    instance->is_dotted = strchr(host, '.') != NULL;
    if (len > 0 && host[len - 1] == '.')
        host[--len] = '\0';
    if (len == 0 || len > 253)
        return false;
    for (const char *at = host;; at++) {
        size_t label = strcspn(at, ".");
        if (!oracle_is_host_label(at, label))
            return false;
        at += label;
        if (!*at)
            return true;
    }
}

/* Line ends behind it do not count. */
static void oracle_trim(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && strchr("\r\n", text[len - 1]))
        text[--len] = '\0';
}

static bool oracle_location(struct oracle_instance *instance)
{
    char text[300];
    oracle_trim(instance->location);
    snprintf(text, sizeof(text), "%s", instance->location);
    char *colon = strrchr(text, ':');
    if (strlen(instance->location) > 260 || !colon || !oracle_port(colon + 1, &instance->port))
        return false;
    *colon = '\0';
    size_t len = strlen(text);
    if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        text[len - 1] = '\0';
        instance->family = AF_INET6;
        if (inet_pton(AF_INET6, text + 1, instance->address) != 1)
            return false;
        if (memcmp(instance->address, mapped, 12) == 0) {
            instance->family = AF_INET;
            memmove(instance->address, instance->address + 12, 4);
        }
        return true;
    }
    snprintf(instance->host, sizeof(instance->host), "%.255s", text);
    if (len > 0 && strspn(text, "0123456789.") == len) {
        instance->family = AF_INET;
        return inet_pton(AF_INET, text, instance->address) == 1;
    }
    return len < 256 && oracle_host_name(instance);
}

static bool oracle_number(const cJSON *item, uint16_t *out)
{
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > 65535 ||
        item->valuedouble != (double)(uint16_t)item->valuedouble)
        return false;
    *out = (uint16_t)item->valuedouble;
    return true;
}

int oracle_compare_octets(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

int oracle_compare_short(const void *left, const void *right)
{
    const struct oracle_short *a = left, *b = right;
    return oracle_compare_octets(a->octets, a->len, b->octets, b->len);
}

size_t oracle_key_len(const char *pair)
{
    return strcspn(pair, "=");
}

/* Whether a TXT pair may have this key: printable ASCII without '=', and not there yet. */
static bool oracle_is_good_key(const struct oracle_instance *instance, const char *key)
{
    if (!*key || strchr(key, '='))
        return false;
    for (const char *at = key; *at; at++)
        if (*at < 0x20 || *at >= 0x7f)
            return false;
    for (size_t i = 0; i < instance->pair_count; i++)
        if (oracle_key_len(instance->pairs[i].octets) == strlen(key) &&
            strncasecmp(instance->pairs[i].octets, key, strlen(key)) == 0)
            return false;
    return true;
}

static void oracle_pairs(struct oracle_instance *instance, const cJSON *txt)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, txt)
    {
        struct oracle_short *pair = &instance->pairs[instance->pair_count];
        const char *key = item->string;
        if (instance->pair_count == ORACLE_PAIRS_MAX || !oracle_is_good_key(instance, key) ||
            (!cJSON_IsString(item) && !cJSON_IsTrue(item)))
            continue;
        snprintf(pair->octets, sizeof(pair->octets), cJSON_IsTrue(item) ? "%s" : "%s=%s", key,
                 cJSON_IsTrue(item) ? "" : item->valuestring);
        pair->len = strlen(pair->octets);
        instance->pair_count += pair->len <= 255;
    }
    qsort(instance->pairs, instance->pair_count, sizeof(instance->pairs[0]), oracle_compare_short);
}

static void oracle_subtypes(struct oracle_instance *instance, const cJSON *list)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item) || instance->subtype_count == ORACLE_PAIRS_MAX)
            continue;
        const char *text = item->valuestring + (item->valuestring[0] == '_');
        bool is_good = *text && strlen(text) <= 62;
        for (size_t i = 0; i < instance->subtype_count; i++)
            is_good = is_good && strcasecmp(instance->subtypes[i].octets, text) != 0;
        for (const char *at = text; *at; at++)
            is_good = is_good && *at != 0x7f && (uint8_t)*at >= 0x20;
        if (!is_good)
            continue;
        struct oracle_short *subtype = &instance->subtypes[instance->subtype_count++];
        snprintf(subtype->octets, sizeof(subtype->octets), "%s", text);
        subtype->len = strlen(text);
    }
}

static bool oracle_json(struct oracle_instance *instance, const char *text)
{
    cJSON *object = cJSON_ParseWithOpts(text, NULL, 1);
    const cJSON *location = cJSON_GetObjectItemCaseSensitive(object, "location");
    bool is_good = cJSON_IsString(location) && strlen(location->valuestring) < 300;
    if (is_good) {
        snprintf(instance->location, sizeof(instance->location), "%s", location->valuestring);
        is_good = oracle_location(instance);
    }
    const cJSON *protocol = cJSON_GetObjectItemCaseSensitive(object, "protocol");
    if (is_good && cJSON_IsString(protocol))
        instance->is_udp = strcmp(protocol->valuestring, "udp") == 0;
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(object, "state");
    (void)oracle_number(cJSON_GetObjectItemCaseSensitive(object, "priority"), &instance->priority);
    (void)oracle_number(cJSON_GetObjectItemCaseSensitive(object, "weight"), &instance->weight);
    if (cJSON_IsString(state) && strcmp(state->valuestring, "draining") == 0)
        instance->weight = 0;
    const cJSON *txt = cJSON_GetObjectItemCaseSensitive(object, "txt");
    const cJSON *subtypes = cJSON_GetObjectItemCaseSensitive(object, "subtypes");
    oracle_pairs(instance, cJSON_IsObject(txt) ? txt : NULL);
    oracle_subtypes(instance, cJSON_IsArray(subtypes) ? subtypes : NULL);
    cJSON_Delete(object);
    return is_good;
}

bool oracle_value(struct oracle_instance *instance, const struct oracle_text *value)
{
    char text[4201];
    memcpy(text, value->octets, value->len);
    text[value->len] = '\0';
    if (strlen(text) != value->len)
        return false;
    instance->weight = 1;
    if (text[0] == '{')
        return oracle_json(instance, text);
    oracle_trim(text);
    snprintf(instance->location, sizeof(instance->location), "%.299s", text);
    return strlen(text) < 300 && oracle_location(instance);
}

void oracle_base(struct oracle_instance *instance)
{
    const char *text = instance->type;
    size_t len = instance->type_len;
    if (len >= 5 && (strncasecmp(text + len - 5, "._tcp", 5) == 0 ||
                     strncasecmp(text + len - 5, "._udp", 5) == 0)) {
        instance->is_udp = reader_lower((uint8_t)text[len - 3]) == 'u';
        len -= 5;
    }
    if (len > 0 && text[0] == '_') {
        text++;
        len--;
    }
    memcpy(instance->base, text, len);
    instance->base_len = len;
}
