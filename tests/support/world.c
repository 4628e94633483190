#include "world.h"

#include "zones/name/name.h"

#include <arpa/inet.h>
#include <stdio.h>

void world_refresh(struct world *world)
{
    struct zone_counts counts;
    zone_commit(world->ask.zone, world->revision);
    zone_counts(world->ask.zone, &counts);
    world->oracle.serial = counts.serial;
    oracle_build(&world->oracle);
}

void world_put(struct world *world, const char *key, const char *value, uint32_t lease_ttl_s)
{
    int64_t lease =
        lease_ttl_s ? (int64_t)(UINT64_C(0x45) << 55 | (uint64_t)lease_ttl_s << 47 | 1) : 0;
    struct oracle *oracle = &world->oracle;
    size_t i = 0, len = strlen(key);
    while (i < oracle->key_count &&
           (world->keys[i].key.len != len || memcmp(world->keys[i].key.octets, key, len) != 0))
        i++;
    assert_true(i < WORLD_KEYS_MAX);
    oracle->key_count += i == oracle->key_count;
    world->keys[i].key.len = len;
    memcpy(world->keys[i].key.octets, key, len);
    world->keys[i].value.len = strlen(value);
    memcpy(world->keys[i].value.octets, value, strlen(value));
    world->keys[i].lease_ttl_s = lease_ttl_s;
    assert_int_equal(
        zone_put(world->ask.zone, key, len, value, strlen(value), ++world->revision, lease),
        STATUS_OK);
}

void world_remove(struct world *world, const char *key)
{
    size_t len = strlen(key);
    world->revision++;
    zone_remove(world->ask.zone, key, len);
    for (size_t i = 0; i < world->oracle.key_count; i++)
        if (world->keys[i].key.len == len && memcmp(world->keys[i].key.octets, key, len) == 0)
            world->keys[i--] = world->keys[--world->oracle.key_count];
}

void world_open(struct world *world, struct zone_options options, const struct world_row *rows,
                size_t count)
{
    static const struct zone_address servers[] = {{"ns", {AF_INET, {127, 0, 0, 1}}}};
    memset(world, 0, sizeof(*world));
    options.domain = options.domain ? options.domain : "empusa.internal";
    options.record_ttl_s = options.record_ttl_s ? options.record_ttl_s : 10;
    options.negative_ttl_s = options.negative_ttl_s ? options.negative_ttl_s : 5;
    if (!options.ns_count) {
        options.ns = servers;
        options.ns_count = 1;
    }
    options.has_switches = true;
    world->options = options;
    world->oracle.options = &world->options;
    world->oracle.keys = world->keys;
    assert_int_equal(zone_new(&world->options, &world->ask.zone, NULL), STATUS_OK);
    world->ask.scratch = answer_scratch_new();
    assert_non_null(world->ask.scratch);
    world->ask.env = (struct answer_env){.state = ANSWER_FRESH, .max_udp_size = 1232};
    world->revision = 100;
    for (size_t i = 0; i < count; i++)
        world_put(world, rows[i].key, rows[i].value, rows[i].lease_ttl_s);
    world_refresh(world);
}

void world_close(struct world *world)
{
    zone_free(world->ask.zone);
    answer_scratch_free(world->ask.scratch);
    oracle_forget(&world->oracle);
}

void world_send(struct world *world, const struct ask_query *query, enum query_transport transport)
{
    struct ask *ask = &world->ask;
    ask_send(ask, query, transport);
    struct verify verify = {.oracle = &world->oracle,
                            .env = &ask->env,
                            .transport = transport,
                            .query = query->bytes,
                            .query_len = query->len,
                            .reply = ask->reply,
                            .result = &ask->result,
                            .reader = &ask->reader};
    const char *fault = ask->fault ? ask->fault : verify_reply(&verify);
    char name[NAME_TEXT_MAX];
    if (!fault)
        return;
    name_to_text(verify.name.wire, verify.name.len, name);
    fail_msg("%s type %u: %s", name, verify.type, fault);
}

void world_ask(struct world *world, const char *name, uint16_t type, enum query_transport transport)
{
    struct ask_query query = ask_query(name, type);
    world_send(world, &query, transport);
}

size_t world_count(const struct world *world, unsigned section)
{
    size_t count = 0;
    for (size_t i = 0; i < world->ask.reader.count; i++)
        count += world->ask.reader.records[i].section == section;
    return count;
}

/* -- text */

PRINTF_LIKE(2, 3) static char *world_add(char *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    at += vsprintf(at, format, args); /* into `text`, which is large */
    va_end(args);
    return at;
}

static char *world_add_name(char *at, const uint8_t *wire, size_t len)
{
    char text[NAME_TEXT_MAX];
    name_to_text(wire, len, text);
    return world_add(at, " %s", text);
}

static char *world_add_strings(char *at, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i += 1u + data[i]) {
        at = world_add(at, " \"");
        for (size_t j = 1; j <= data[i]; j++)
            if (data[i + j] >= 0x20 && data[i + j] < 0x7f)
                *at++ = (char)data[i + j];
            else
                at = world_add(at, "\\%02x", data[i + j]);
        at = world_add(at, "\"");
    }
    return at;
}

static char *world_add_data(char *at, const struct reader_record *record)
{
    const uint8_t *data = record->data;
    size_t first;
    switch (record->type) {
    case READ_A:
        return world_add(at, "A %u.%u.%u.%u", data[0], data[1], data[2], data[3]);
    case READ_AAAA:
        at = world_add(at, "AAAA ");
        return inet_ntop(AF_INET6, data, at, INET6_ADDRSTRLEN) ? at + strlen(at) : at;
    case READ_NS:
        return world_add_name(world_add(at, "NS"), data, record->len);
    case READ_PTR:
        return world_add_name(world_add(at, "PTR"), data, record->len);
    case READ_SRV:
        at = world_add(at, "SRV %u %u %u", reader_get16(data), reader_get16(data + 2),
                       reader_get16(data + 4));
        return world_add_name(at, data + 6, record->len - 6);
    case READ_SOA:
        for (first = 0; data[first]; first += 1u + data[first])
            ;
        at = world_add_name(world_add(at, "SOA"), data, first + 1);
        at = world_add_name(at, data + first + 1, record->len - 20 - first - 1);
        for (size_t i = record->len - 20; i < record->len; i += 4)
            at = world_add(at, " %u", reader_get32(data + i));
        return at;
    default:
        at = world_add(at, record->type == READ_TXT ? "TXT" : "HINFO");
        return world_add_strings(at, data, record->len);
    }
}

static int world_compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *world_text(struct world *world, unsigned section)
{
    static char buffer[1 << 20];
    static char *lines[READER_RECORDS_MAX];
    size_t count = 0;
    char *at = buffer, *out = world->text;
    for (size_t i = 0; i < world->ask.reader.count; i++) {
        const struct reader_record *record = &world->ask.reader.records[i];
        if (record->section != section)
            continue;
        lines[count++] = at;
        if (section != READ_ANSWER) {
            at = world_add_name(at, record->owner.wire, record->owner.len);
            memmove(lines[count - 1], lines[count - 1] + 1, strlen(lines[count - 1]));
            at = world_add(at - 1, " ");
        }
        at = world_add_data(world_add(at, "%u ", record->ttl_s), record) + 1;
    }
    qsort(lines, count, sizeof(lines[0]), world_compare_lines);
    *out = '\0';
    for (size_t i = 0; i < count; i++)
        out = world_add(out, "%s\n", lines[i]);
    return world->text;
}
