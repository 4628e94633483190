#include "oracle.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -- names */

bool oracle_is_same_name(const struct reader_name *a, const struct reader_name *b)
{
    return a->len == b->len && reader_is_same(a->wire, b->wire, a->len);
}

struct reader_name oracle_text_name(const char *text, const struct reader_name *tail)
{
    uint8_t wire[1024];
    size_t len = 0;
    struct reader_name name = {.len = 0};
    while (*text && len < 512) {
        size_t label = strcspn(text, ".");
        wire[len++] = (uint8_t)label;
        memcpy(wire + len, text, label);
        len += label;
        text += label + (text[label] == '.');
    }
    if (tail) {
        memcpy(wire + len, tail->wire, tail->len);
        len += tail->len;
    } else {
        wire[len++] = 0;
    }
    if (len <= READER_NAME_MAX && (!tail || tail->len)) {
        memcpy(name.wire, wire, len);
        name.len = len;
    }
    return name;
}

struct reader_name oracle_label_name(const uint8_t *label, size_t label_len,
                                     const struct reader_name *tail)
{
    struct reader_name name = {.len = 0};
    if (!tail->len || 1 + label_len + tail->len > READER_NAME_MAX)
        return name;
    name.wire[0] = (uint8_t)label_len;
    memcpy(name.wire + 1, label, label_len);
    memcpy(name.wire + 1 + label_len, tail->wire, tail->len);
    name.len = 1 + label_len + tail->len;
    return name;
}

bool oracle_is_below(const struct reader_name *name, const struct reader_name *top)
{
    for (size_t at = 0; at < name->len; at += 1u + name->wire[at])
        if (name->len - at == top->len && reader_is_same(name->wire + at, top->wire, top->len))
            return true;
    return false;
}

/* -- records */

/* Limits are equal without data. */
static struct oracle_record *oracle_find_record(const struct oracle *oracle,
                                                const struct reader_name *owner, uint16_t type,
                                                const void *data, size_t len, bool is_limit)
{
    for (size_t i = 0; i < oracle->count; i++) {
        struct oracle_record *old = &oracle->records[i];
        if (old->type == type && old->is_limit == is_limit &&
            oracle_is_same_name(&old->owner, owner) &&
            (is_limit || reader_compare_data(type, old->data, old->len, data, len) == 0))
            return old;
    }
    return NULL;
}

static void oracle_add(struct oracle *oracle, const struct reader_name *owner, uint16_t type,
                       uint32_t ttl_s, const void *data, size_t len, bool is_limit)
{
    if (owner->len == 0)
        return;
    struct oracle_record *old = oracle_find_record(oracle, owner, type, data, len, is_limit);
    if (old) {
        old->ttl_s = ttl_s < old->ttl_s ? ttl_s : old->ttl_s;
        return;
    }
    if (oracle->count == oracle->room) {
        oracle->room = oracle->room * 2 + 256;
        oracle->records = realloc(oracle->records, oracle->room * sizeof(*oracle->records));
        if (!oracle->records)
            abort();
    }
    uint8_t *copy = malloc(len + 1);
    if (!copy)
        abort();
    if (len)
        memcpy(copy, data, len);
    oracle->records[oracle->count++] =
        (struct oracle_record){*owner, type, is_limit, ttl_s, copy, len};
}

static void oracle_record(struct oracle *oracle, const struct reader_name *owner, uint16_t type,
                          uint32_t ttl_s, const void *data, size_t len)
{
    oracle_add(oracle, owner, type, ttl_s, data, len, false);
}

static void oracle_limit(struct oracle *oracle, const struct reader_name *owner, uint16_t type,
                         uint32_t ttl_s)
{
    oracle_add(oracle, owner, type, ttl_s, NULL, 0, true);
}

static void oracle_exists(struct oracle *oracle, const struct reader_name *owner)
{
    oracle_add(oracle, owner, 0, 0, NULL, 0, false);
}

/* -- services */

static struct reader_name oracle_target(const struct oracle *oracle,
                                        const struct oracle_instance *instance)
{
    char text[320];
    const uint8_t *octets = instance->address;
    if (instance->family == AF_INET)
        snprintf(text, sizeof(text), "%u-%u-%u-%u.addr", octets[0], octets[1], octets[2],
                 octets[3]);
    else if (instance->family == AF_INET6)
        snprintf(text, sizeof(text), "%x-%x-%x-%x-%x-%x-%x-%x.addr", reader_get16(octets),
                 reader_get16(octets + 2), reader_get16(octets + 4), reader_get16(octets + 6),
                 reader_get16(octets + 8), reader_get16(octets + 10), reader_get16(octets + 12),
                 reader_get16(octets + 14));
    else
        return oracle_text_name(instance->host, instance->is_dotted ? NULL : &oracle->host_domain);
    return oracle_text_name(text, &oracle->zone);
}

/* Type and name from a service's key. */
static bool oracle_key_parts(const struct oracle_key *key, struct oracle_instance *out)
{
    const char *text = key->key.octets, *slash;
    size_t len = key->key.len;
    if (len < 9 || memcmp(text, "/service/", 9) != 0 || len >= 4096)
        return false;
    slash = memchr(text + 9, '/', len - 9);
    if (!slash || slash == text + 9 || slash + 1 == text + len || slash - text - 9 > 255)
        return false;
    out->type_len = (size_t)(slash - text - 9);
    memcpy(out->type, text + 9, out->type_len);
    out->name_at = (size_t)(slash + 1 - text);
    return true;
}

/* Read a service's key and value. False: it cannot be served. */
static bool oracle_instance(const struct oracle *oracle, const struct oracle_key *key,
                            struct oracle_instance *out)
{
    *out = (struct oracle_instance){.key = key, .ttl_s = oracle->options->record_ttl_s};
    if (!oracle_key_parts(key, out) || !oracle_value(out, &key->value))
        return false;
    oracle_base(out);
    oracle_type_label(out);
    if (out->type_label.len == 7 && memcmp(out->type_label.octets, "_dns-sd", 7) == 0)
        return false;
    oracle_instance_label(key->key.octets + out->name_at, key->key.len - out->name_at, &out->label);
    struct reader_name protocol = oracle_text_name(out->is_udp ? "_udp" : "_tcp", &oracle->zone);
    out->type_name = oracle_label_name(out->type_label.octets, out->type_label.len, &protocol);
    out->name = oracle_label_name(out->label.octets, out->label.len, &out->type_name);
    out->target = oracle_target(oracle, out);
    if (key->lease_ttl_s && key->lease_ttl_s < out->ttl_s)
        out->ttl_s = key->lease_ttl_s;
    return out->name.len && out->target.len;
}

static size_t oracle_string(uint8_t *at, const char *before, const char *text, size_t len)
{
    size_t key = strlen(before);
    len = key + len > 255 ? 255 - key : len;
    at[0] = (uint8_t)(key + len);
    memcpy(at + 1, before, key);
    memcpy(at + 1 + key, text, len);
    return 1 + key + len;
}

/* The pairs, without one that type=<base> stands for. */
static size_t oracle_put_pairs(const struct oracle_instance *instance, bool with_type, uint8_t *out)
{
    struct oracle_short all[ORACLE_PAIRS_MAX + 1];
    size_t count = 0, at = 0;
    for (size_t i = 0; i < instance->pair_count; i++)
        if (!instance->is_odd || oracle_key_len(instance->pairs[i].octets) != 4 ||
            strncasecmp(instance->pairs[i].octets, "type", 4) != 0)
            all[count++] = instance->pairs[i];
    if (with_type && instance->is_odd) {
        all[count].len = oracle_string((uint8_t *)all[count].octets, "type=", instance->base,
                                       instance->base_len) -
                         1;
        memmove(all[count].octets, all[count].octets + 1, all[count].len);
        count++;
    }
    qsort(all, count, sizeof(all[0]), oracle_compare_short);
    for (size_t i = 0; i < count; i++)
        at += oracle_string(out + at, "", all[i].octets, all[i].len);
    return at;
}

static void oracle_add_txt(struct oracle *oracle, const struct oracle_instance *instance)
{
    uint8_t data[8192];
    const char *key = instance->key->key.octets;
    size_t len = oracle_put_pairs(instance, true, data);
    if (len == 0)
        data[len++] = 0;
    oracle_record(oracle, &instance->name, READ_TXT, instance->ttl_s, data, len);
    len = oracle_string(data, "name=", key + instance->name_at,
                        instance->key->key.len - instance->name_at);
    len += oracle_string(data + len, "location=", instance->location, strlen(instance->location));
    len += oracle_put_pairs(instance, false, data + len);
    oracle_record(oracle, &instance->type_name, READ_TXT, instance->ttl_s, data, len);
}

/* `first` has the smallest key of those with this name: its letters, its TXT. */
static void oracle_add_names(struct oracle *oracle, const struct oracle_instance *instance,
                             const struct reader_name *list, const struct oracle_instance *first)
{
    uint8_t srv[6 + READER_NAME_MAX];
    const uint16_t numbers[] = {htons(instance->priority), htons(instance->weight),
                                htons(instance->port)};
    memcpy(srv, numbers, 6);
    memcpy(srv + 6, instance->target.wire, instance->target.len);
    size_t srv_len = 6 + instance->target.len;
    oracle_record(oracle, list, READ_PTR, instance->ttl_s, instance->type_name.wire,
                  instance->type_name.len);
    oracle_record(oracle, &instance->type_name, READ_PTR, instance->ttl_s, first->name.wire,
                  first->name.len);
    oracle_record(oracle, &instance->type_name, READ_SRV, instance->ttl_s, srv, srv_len);
    oracle_record(oracle, &instance->name, READ_SRV, instance->ttl_s, srv, srv_len);
    oracle_limit(oracle, &instance->type_name, READ_TXT, instance->ttl_s);
    if (instance == first)
        oracle_add_txt(oracle, instance);

    struct reader_name service = oracle_text_name("service", &oracle->zone);
    struct reader_name view =
        oracle_label_name(instance->type_label.octets + 1, instance->type_label.len - 1, &service);
    struct reader_name own = {.len = 0};
    if (oracle_is_ldh(instance->label.octets, instance->label.len))
        own = oracle_label_name(instance->label.octets, instance->label.len, &view);
    oracle_record(oracle, &view, READ_SRV, instance->ttl_s, srv, srv_len);
    oracle_record(oracle, &own, READ_SRV, instance->ttl_s, srv, srv_len);
    for (size_t i = 0; i < instance->subtype_count; i++) {
        uint8_t label[64] = "_";
        memcpy(label + 1, instance->subtypes[i].octets, instance->subtypes[i].len);
        struct reader_name sub = oracle_text_name("_sub", &instance->type_name);
        sub = oracle_label_name(label, 1 + instance->subtypes[i].len, &sub);
        oracle_record(oracle, &sub, READ_PTR, instance->ttl_s, first->name.wire, first->name.len);
    }
}

/* -- addresses */

static void oracle_address(struct oracle *oracle, const struct reader_name *owner,
                           const struct resolver_address *address, uint32_t ttl_s)
{
    bool is_v4 = address->family == AF_INET;
    oracle_record(oracle, owner, is_v4 ? READ_A : READ_AAAA, ttl_s, address->octets,
                  is_v4 ? 4 : 16);
}

uint32_t oracle_ttl(const struct oracle *oracle, const struct reader_name *owner, uint16_t type)
{
    uint32_t ttl_s = UINT32_MAX;
    for (size_t i = 0; i < oracle->count; i++)
        if (oracle->records[i].type == type && oracle->records[i].ttl_s < ttl_s &&
            oracle_is_same_name(&oracle->records[i].owner, owner))
            ttl_s = oracle->records[i].ttl_s;
    return ttl_s;
}

static void oracle_host_addresses(struct oracle *oracle, const char *host,
                                  const struct reader_name *owner)
{
    const struct zone_options *options = oracle->options;
    bool is_fixed = false;
    for (size_t i = 0; i < options->host_count; i++) {
        if (strcasecmp(options->hosts[i].name, host) != 0)
            continue;
        is_fixed = true;
        oracle_address(oracle, owner, &options->hosts[i].address, options->record_ttl_s);
    }
    for (size_t i = 0; i < oracle->host_count && !is_fixed; i++) {
        const struct oracle_host *known = &oracle->hosts[i];
        if (strcasecmp(known->name, host) != 0)
            continue;
        for (size_t j = 0; j < known->count; j++)
            oracle_address(oracle, owner, &known->addresses[j],
                           known->ttl_s < options->record_ttl_s ? known->ttl_s
                                                                : options->record_ttl_s);
    }
}

static void oracle_add_target(struct oracle *oracle, const struct oracle_instance *instance)
{
    struct resolver_address address = {.family = instance->family};
    memcpy(address.octets, instance->address, 16);
    if (instance->family == 0 && instance->is_dotted)
        return;
    if (instance->family != 0) {
        oracle_address(oracle, &instance->target, &address, instance->ttl_s);
        return;
    }
    if (oracle->host_is_inside)
        oracle_exists(oracle, &instance->target);
    oracle_host_addresses(oracle, instance->host, &instance->target);
    oracle_limit(oracle, &instance->target, READ_A, instance->ttl_s);
    oracle_limit(oracle, &instance->target, READ_AAAA, instance->ttl_s);
}

/* The records at a target are those of the host view, too, under another name. */
static void oracle_view_addresses(struct oracle *oracle, const struct reader_name *view,
                                  const struct oracle_instance *instance)
{
    static const uint16_t types[] = {READ_A, READ_AAAA};
    bool has_any = false;
    for (size_t i = 0, count = oracle->count; i < count; i++) {
        struct oracle_record record = oracle->records[i];
        if ((record.type != READ_A && record.type != READ_AAAA) || record.is_limit ||
            (instance->family == 0 && instance->is_dotted) ||
            !oracle_is_same_name(&record.owner, &instance->target))
            continue;
        has_any = true;
        oracle_record(oracle, view, record.type, oracle->options->record_ttl_s, record.data,
                      record.len);
    }
    for (unsigned i = 0; i < 2; i++) {
        oracle_limit(oracle, view, types[i], instance->ttl_s);
        for (unsigned j = 0; j < 2 && has_any && instance->family == 0; j++)
            oracle_limit(oracle, view, types[i], oracle_ttl(oracle, &instance->target, types[j]));
    }
}

static void oracle_add_view(struct oracle *oracle, const struct oracle_instance *instance)
{
    struct reader_name service = oracle_text_name("service", &oracle->zone);
    struct reader_name view =
        oracle_label_name(instance->type_label.octets + 1, instance->type_label.len - 1, &service);
    oracle_view_addresses(oracle, &view, instance);
    if (!oracle_is_ldh(instance->label.octets, instance->label.len))
        return;
    view = oracle_label_name(instance->label.octets, instance->label.len, &view);
    oracle_view_addresses(oracle, &view, instance);
}

/* -- switches */

static struct reader_name oracle_switch_name(const struct oracle *oracle, const char *path,
                                             size_t len)
{
    struct reader_name name = oracle_text_name("switch", &oracle->zone);
    size_t begin = 0;
    for (size_t at = 0; at <= len; at++) {
        if (at < len && path[at] != '/')
            continue;
        size_t part = at - begin;
        if (part == 0 || part > 63 || (part == 1 && path[begin] == '*') || name.len == 0)
            return (struct reader_name){.len = 0};
        name = oracle_label_name((const uint8_t *)path + begin, part, &name);
        begin = at + 1;
    }
    return name;
}

static void oracle_add_switch(struct oracle *oracle, const struct oracle_key *key)
{
    uint32_t ttl_s = oracle->options->record_ttl_s;
    uint8_t data[8192];
    size_t len = 0;
    if (key->key.len <= 8 || memcmp(key->key.octets, "/switch/", 8) != 0 || key->key.len >= 4096)
        return;
    struct reader_name name = oracle_switch_name(oracle, key->key.octets + 8, key->key.len - 8);
    if (key->lease_ttl_s && key->lease_ttl_s < ttl_s)
        ttl_s = key->lease_ttl_s;
    for (size_t i = 0; i < oracle->count; i++)
        if (oracle->records[i].type == READ_TXT &&
            oracle_is_same_name(&oracle->records[i].owner, &name))
            return; /* a smaller key has it */
    for (size_t at = 0; at < key->value.len || len == 0; at += 255)
        len += oracle_string(data + len, "", key->value.octets + at,
                             key->value.len - at < 255 ? key->value.len - at : 255);
    oracle_record(oracle, &name, READ_TXT, ttl_s, data, len);
}

/* -- the whole */

static struct reader_name oracle_ns_name(const struct oracle *oracle, const char *text)
{
    return oracle_text_name(text, strchr(text, '.') ? NULL : &oracle->zone);
}

static void oracle_add_origin(struct oracle *oracle)
{
    static const char *const tops[] = {"_tcp", "_udp",         "addr",   "service",
                                       "host", "_dns-sd._udp", "switch", "_services._dns-sd._udp"};
    static const char *const browsing[] = {"b._dns-sd._udp", "db._dns-sd._udp", "lb._dns-sd._udp"};
    const struct zone_options *options = oracle->options;
    for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
        struct reader_name top = oracle_text_name(tops[i], &oracle->zone);
        if ((oracle->host_is_inside || strcmp(tops[i], "host") != 0) &&
            (options->has_switches || strcmp(tops[i], "switch") != 0))
            oracle_exists(oracle, &top);
    }
    for (size_t i = 0; i < sizeof(browsing) / sizeof(browsing[0]); i++) {
        struct reader_name name = oracle_text_name(browsing[i], &oracle->zone);
        oracle_record(oracle, &name, READ_PTR, 3600, oracle->zone.wire, oracle->zone.len);
    }
    oracle->mname = oracle_ns_name(oracle, options->ns_count ? options->ns[0].name : "ns");
    oracle_record(oracle, &oracle->zone, READ_NS, 3600, oracle->mname.wire, oracle->mname.len);
    if (options->ns_count == 0)
        oracle_exists(oracle, &oracle->mname);
    for (size_t i = 0; i < options->ns_count; i++) {
        struct reader_name ns = oracle_ns_name(oracle, options->ns[i].name);
        oracle_record(oracle, &oracle->zone, READ_NS, 3600, ns.wire, ns.len);
        if (oracle_is_below(&ns, &oracle->zone))
            oracle_address(oracle, &ns, &options->ns[i].address, 3600);
    }
    for (size_t i = 0; i < options->host_count; i++) {
        struct reader_name host = oracle_text_name(options->hosts[i].name, &oracle->host_domain);
        oracle_host_addresses(oracle, options->hosts[i].name, &host);
    }
}

static void oracle_add_soa(struct oracle *oracle)
{
    uint8_t data[2 * READER_NAME_MAX + 20];
    struct reader_name admin = oracle_text_name("hostmaster", &oracle->zone);
    const uint32_t numbers[] = {htonl(oracle->serial), htonl(60), htonl(20), htonl(604800),
                                htonl(oracle->options->negative_ttl_s)};
    size_t len = oracle->mname.len;
    memcpy(data, oracle->mname.wire, len);
    memcpy(data + len, admin.wire, admin.len);
    len += admin.len;
    memcpy(data + len, numbers, sizeof(numbers));
    oracle_record(oracle, &oracle->zone, READ_SOA, 60, data, len + sizeof(numbers));
}

static int oracle_compare_key(const void *left, const void *right)
{
    const struct oracle_key *a = *(const struct oracle_key *const *)left;
    const struct oracle_key *b = *(const struct oracle_key *const *)right;
    return oracle_compare_octets(a->key.octets, a->key.len, b->key.octets, b->key.len);
}

void oracle_forget(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->count; i++)
        free(oracle->records[i].data);
    free(oracle->records);
    free(oracle->instances);
    oracle->records = NULL;
    oracle->instances = NULL;
    oracle->count = oracle->room = oracle->instance_count = 0;
}

static void oracle_add_services(struct oracle *oracle, struct oracle_key *const *sorted)
{
    struct reader_name list = oracle_text_name("_services._dns-sd._udp", &oracle->zone);
    for (size_t i = 0; i < oracle->key_count; i++)
        if (oracle_instance(oracle, sorted[i], &oracle->instances[oracle->instance_count]))
            oracle->instance_count++;
    for (size_t i = 0; i < oracle->instance_count; i++) {
        size_t first = 0;
        while (!oracle_is_same_name(&oracle->instances[i].name, &oracle->instances[first].name))
            first++;
        oracle_add_target(oracle, &oracle->instances[i]);
        oracle_add_names(oracle, &oracle->instances[i], &list, &oracle->instances[first]);
    }
    for (size_t i = 0; i < oracle->instance_count; i++)
        oracle_add_view(oracle, &oracle->instances[i]);
}

void oracle_build(struct oracle *oracle)
{
    const struct zone_options *options = oracle->options;
    oracle_forget(oracle);
    oracle->zone = oracle_text_name(options->domain, NULL);
    oracle->host_domain = options->host_domain ? oracle_text_name(options->host_domain, NULL)
                                               : oracle_text_name("host", &oracle->zone);
    oracle->host_is_inside = oracle_is_below(&oracle->host_domain, &oracle->zone);
    struct oracle_key **sorted = malloc((oracle->key_count + 1) * sizeof(struct oracle_key *));
    oracle->instances = malloc((oracle->key_count + 1) * sizeof(struct oracle_instance));
    if (!sorted || !oracle->instances)
        abort();
    for (size_t i = 0; i < oracle->key_count; i++)
        sorted[i] = &oracle->keys[i];
    qsort(sorted, oracle->key_count, sizeof(sorted[0]), oracle_compare_key);
    oracle_add_origin(oracle);
    oracle_add_soa(oracle);
    oracle_add_services(oracle, sorted);
    for (size_t i = 0; i < oracle->key_count && options->has_switches; i++)
        oracle_add_switch(oracle, sorted[i]);
    free(sorted);
}

/* -- questions */

enum oracle_where oracle_find(const struct oracle *oracle, const struct reader_name *name,
                              struct reader_name *absolute, bool *is_short)
{
    static const uint8_t tails[][6] = {{4, '_', 't', 'c', 'p', 0}, {4, '_', 'u', 'd', 'p', 0}};
    *is_short = false;
    *absolute = *name;
    if (!oracle_is_below(name, &oracle->zone)) {
        for (unsigned i = 0; i < 2; i++) {
            struct reader_name tail = {.len = 6};
            memcpy(tail.wire, tails[i], 6);
            *is_short = *is_short || (name->len > 6 && oracle_is_below(name, &tail));
        }
        if (!*is_short)
            return ORACLE_REFUSED;
        if (name->len - 1 + oracle->zone.len > READER_NAME_MAX)
            return ORACLE_NXDOMAIN;
        memcpy(absolute->wire + name->len - 1, oracle->zone.wire, oracle->zone.len);
        absolute->len = name->len - 1 + oracle->zone.len;
    }
    for (size_t i = 0; i < oracle->count; i++)
        if (!oracle->records[i].is_limit && oracle_is_below(&oracle->records[i].owner, absolute))
            return ORACLE_NAME;
    return ORACLE_NXDOMAIN;
}

size_t oracle_rrset_count(const struct oracle *oracle, const struct reader_name *name,
                          uint16_t type)
{
    size_t count = 0;
    for (size_t i = 0; i < oracle->count; i++)
        count += type != 0 && oracle->records[i].type == type && !oracle->records[i].is_limit &&
                 oracle_is_same_name(&oracle->records[i].owner, name);
    return count;
}

const struct oracle_record *oracle_lookup(const struct oracle *oracle,
                                          const struct reader_name *name, uint16_t type,
                                          const uint8_t *data, size_t len)
{
    return oracle_find_record(oracle, name, type, data, len, false);
}
