/* A zone after any history of changes answers as the oracle does for what is left, and as a fresh
 * zone does.
 *
 * A small universe of keys and values, made to collide: types and names that fold to one, subtypes,
 * the name _sub, hosts in several letters, switches above switches, keys and values that cannot be
 * served. EMPUSA_STEPS chooses how many changes. */
#include "support/ask.h"
#include "support/oracle.h"
#include "support/random.h"
#include "support/verify.h"
#include "zones/name/name.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define STEPS     1500
#define NAMES_MAX 4096
#define TEXT(t)                                                                                    \
    {                                                                                              \
        t, sizeof(t) - 1                                                                           \
    }

struct text {
    const char *octets;
    size_t len;
};

#define LONG_64 "0123456789012345678901234567890123456789012345678901234567890123"

static const struct text keys[] = {
    TEXT("/service/http/a"),
    TEXT("/service/http/A"),
    TEXT("/service/HTTP/a"),
    TEXT("/service/_http/a"),
    TEXT("/service/http._tcp/a"),
    TEXT("/service/http._UDP/a"),
    TEXT("/service/http/b"),
    TEXT("/service/HTTP/B"),
    TEXT("/service/http/_sub"),
    TEXT("/service/HTTP/_SUB"),
    TEXT("/service/http/x y.z\\"),
    TEXT("/service/http/\xc3\x89tage 2. Bureau A/B"),
    TEXT("/service/http/*"),
    TEXT("/service/http/" LONG_64),
    TEXT("/service/http/tab\there"),
    TEXT("/service/http/a/b"),
    TEXT("/service/http/nul\0\xff"),
    TEXT("/service/my_type/one"),
    TEXT("/service/my-type/one"),
    TEXT("/service/my_type/One"),
    TEXT("/service/My.Odd Type!/one"),
    TEXT("/service/12.34/two"),
    TEXT("/service/._tcp/empty"),
    TEXT("/service/dns-sd/no"),
    TEXT("/service/_dns_SD._udp/no"),
    TEXT("/service/sub/_printer"),
    TEXT("/switch/a"),
    TEXT("/switch/A"),
    TEXT("/switch/a/b"),
    TEXT("/switch/a/B"),
    TEXT("/switch/a/b/c"),
    TEXT("/switch/x/b"),
    TEXT("/switch/x//y"),
    TEXT("/switch/*"),
    TEXT("/switch/" LONG_64),
    TEXT("/switch/" LONG_64 "/a"),
    TEXT("/service/http"),
    TEXT("/service//a"),
    TEXT("/service/http/"),
    TEXT("/other/thing"),
    TEXT(""),
};

static const struct text values[] = {
    TEXT("baz:1"),
    TEXT("BAZ:1"),
    TEXT("baz:2"),
    TEXT("www:9"),
    TEXT("fixed:7"),
    TEXT("10.1.2.3:80"),
    TEXT("10.1.2.3:81"),
    TEXT("[fd00::1]:8080"),
    TEXT("[::ffff:10.1.2.3]:80"),
    TEXT("www.example.com:443"),
    TEXT("WWW.Example.com.:443"),
    TEXT("baz.:1"),
    TEXT("1.2.3:4"),
    TEXT("nonsense"),
    TEXT(""),
    TEXT("{\"location\":\"baz:1\",\"subtypes\":[\"printer\"]}"),
    TEXT("{\"location\":\"baz:3\",\"subtypes\":[\"Printer\",\"_scanner\",\"scanner\"]}"),
    TEXT("{\"location\":\"10.1.2.4:1\",\"subtypes\":[\"scanner\"],\"txt\":{\"a\":\"1\"}}"),
    TEXT("{\"location\":\"baz:1\",\"protocol\":\"udp\"}"),
    TEXT("{\"location\":\"baz:1\",\"protocol\":\"udp\",\"subtypes\":[\"printer\"]}"),
    TEXT("{\"location\":\"baz:1\",\"txt\":{\"path\":\"/\",\"beta\":true,\"Type\":\"x\"}}"),
    TEXT("{\"location\":\"baz:1\",\"state\":\"draining\",\"priority\":7}"),
    TEXT("{\"location\":\"baz:1\",\"weight\":65535,\"priority\":65536}"),
    TEXT("{\"location\":7}"),
    TEXT("{\"location\":\"baz:1\""),
};

#define KEYS   (sizeof(keys) / sizeof(keys[0]))
#define VALUES (sizeof(values) / sizeof(values[0]))

static const struct zone_address fixed_hosts[] = {
    {"fixed", {AF_INET, {192, 0, 2, 7}}},
    {"fixed", {AF_INET6, {0x20, 1, 0xd, 0xb8, [15] = 7}}},
};
static const struct zone_address servers[] = {
    {"ns", {AF_INET, {127, 0, 0, 1}}},
    {"ns", {AF_INET6, {[15] = 1}}},
    {"ns2.example.net", {AF_INET, {192, 0, 2, 1}}},
};

/* What the registry holds, and what has been told of it. */
struct entry_state {
    bool is_there;
    unsigned value;
    int64_t revision, lease;
};

static struct {
    struct random random;
    struct zone_options options;
    struct zone *zone;
    struct entry_state entries[KEYS];
    int64_t revision;
    struct oracle oracle, all;
    struct oracle_key *held;
    struct ask ask;
    struct reader_name names[NAMES_MAX];
    size_t name_count;
    unsigned wanted[256]; /* by the first letter of a host */
    uint64_t checks;
} world;

static uint64_t draw(uint64_t below)
{
    return random_draw(&world.random, below);
}

static int64_t draw_lease(void)
{
    static const int64_t leases[] = {0, 0, 0, 0, INT64_C(0x7000000000000000)};
    uint64_t choice = draw(8);
    if (choice < 5)
        return leases[choice];
    uint64_t ttl_s = choice == 7 ? 255 : 1 + draw(12);
    return (int64_t)(UINT64_C(0x45) << 55 | ttl_s << 47 | draw(1000));
}

static uint32_t lease_ttl(int64_t lease)
{
    if (lease == 0)
        return 0;
    return (uint64_t)lease >> 55 == 0x45 ? (uint32_t)((uint64_t)lease >> 47 & 255) : 5;
}

static void put(struct zone *zone, size_t key)
{
    const struct entry_state *entry = &world.entries[key];
    assert_int_equal(zone_put(zone, keys[key].octets, keys[key].len, values[entry->value].octets,
                              values[entry->value].len, entry->revision, entry->lease),
                     STATUS_OK);
}

static void change(size_t key)
{
    world.entries[key] =
        (struct entry_state){true, (unsigned)draw(VALUES), ++world.revision, draw_lease()};
}

static void step_put(void)
{
    size_t key = draw(KEYS);
    change(key);
    put(world.zone, key);
}

static void step_remove(void)
{
    size_t key = draw(KEYS);
    world.revision++;
    world.entries[key].is_there = false;
    zone_remove(world.zone, keys[key].octets, keys[key].len);
}

/* A load at one revision, perhaps broken off before; what changed meanwhile was not told. */
static void step_load(void)
{
    for (size_t i = 0; i < KEYS; i++) {
        uint64_t choice = draw(6);
        if (choice == 0)
            change(i);
        else if (choice == 1)
            world.entries[i].is_there = false;
    }
    world.revision++;
    for (bool is_broken = draw(3) == 0;; is_broken = false) {
        size_t first = draw(KEYS);
        zone_load_begin(world.zone);
        for (size_t i = 0; i < KEYS / (is_broken ? 2 : 1); i++) {
            size_t key = (first + i) % KEYS;
            if (world.entries[key].is_there)
                put(world.zone, key);
            if (draw(20) == 0)
                zone_commit(world.zone, 0);
        }
        if (!is_broken)
            break;
    }
    zone_load_end(world.zone, NULL, NULL);
}

static struct oracle_host *known_host(const char *name)
{
    for (size_t i = 0; i < world.oracle.host_count; i++)
        if (strcmp(world.oracle.hosts[i].name, name) == 0)
            return &world.oracle.hosts[i];
    return NULL;
}

static enum status on_wanted(void *arg, const char *name)
{
    assert_ptr_equal(arg, &world);
    assert_int_equal(world.wanted[(uint8_t)name[0]]++, 0);
    assert_null(known_host(name));
    struct oracle_host *host = &world.oracle.hosts[world.oracle.host_count++];
    assert_true(world.oracle.host_count <= ORACLE_HOSTS_MAX);
    *host = (struct oracle_host){.ttl_s = UINT32_MAX};
    snprintf(host->name, sizeof(host->name), "%s", name);
    return STATUS_OK;
}

static void on_unwanted(void *arg, const char *name)
{
    assert_ptr_equal(arg, &world);
    assert_int_equal(--world.wanted[(uint8_t)name[0]], 0);
    struct oracle_host *host = known_host(name);
    assert_non_null(host);
    *host = world.oracle.hosts[--world.oracle.host_count];
}

static void step_host(void)
{
    struct resolver_address addresses[4] = {{.family = 0}};
    size_t count = draw(4);
    uint32_t ttl_s = draw(2) ? (uint32_t)draw(20) : UINT32_MAX;
    const char *name = draw(2) ? "baz" : "www";
    for (size_t i = 0; i < count; i++) {
        addresses[i].family = draw(2) ? AF_INET : AF_INET6;
        memset(addresses[i].octets, (int)(1 + draw(4)), addresses[i].family == AF_INET ? 4 : 16);
    }
    assert_int_equal(zone_set_host(world.zone, name, addresses, count, ttl_s), STATUS_OK);
    struct oracle_host *host = known_host(name);
    if (!host)
        return;
    memcpy(host->addresses, addresses, sizeof(addresses));
    host->count = count;
    host->ttl_s = ttl_s;
}

static uint32_t serial_of(const struct zone *zone)
{
    struct zone_counts counts;
    zone_counts(zone, &counts);
    return counts.serial;
}

static void rebuild_oracle(void)
{
    world.oracle.key_count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        const struct entry_state *entry = &world.entries[i];
        struct oracle_key *key = &world.held[world.oracle.key_count];
        if (!entry->is_there)
            continue;
        key->key.len = keys[i].len;
        memcpy(key->key.octets, keys[i].octets, keys[i].len);
        key->value.len = values[entry->value].len;
        memcpy(key->value.octets, values[entry->value].octets, values[entry->value].len);
        key->lease_ttl_s = lease_ttl(entry->lease);
        world.oracle.key_count++;
    }
    oracle_build(&world.oracle);
}

static struct reader_name in_other_letters(struct reader_name name)
{
    for (size_t at = 0; at < name.len; at += 1u + name.wire[at])
        for (size_t i = 1; i <= name.wire[at]; i++) {
            uint8_t octet = name.wire[at + i] | 0x20;
            if (octet >= 'a' && octet <= 'z' && draw(2))
                name.wire[at + i] ^= 0x20;
        }
    return name;
}

static void check(struct zone *zone, const struct reader_name *name, uint16_t type,
                  enum query_transport transport)
{
    struct ask *ask = &world.ask;
    struct ask_query query = ask_wire(name->wire, name->len, type);
    if (draw(2))
        ask_opt(&query, 1232, 0, NULL, 0);
    ask->zone = zone;
    ask->rotation = (uint32_t)draw(100);
    ask->env.state = draw(4) ? ANSWER_FRESH : ANSWER_STALE;
    ask_send(ask, &query, transport);
    struct verify verify = {.oracle = &world.oracle,
                            .env = &ask->env,
                            .transport = transport,
                            .query = query.bytes,
                            .query_len = query.len,
                            .reply = ask->reply,
                            .result = &ask->result,
                            .reader = &ask->reader};
    const char *fault = ask->fault ? ask->fault : verify_reply(&verify);
    world.checks++;
    if (!fault)
        return;
    char text[NAME_TEXT_MAX];
    name_to_text(name->wire, name->len, text);
    fail_msg("%s type %u over %s: %s", text, type, transport == QUERY_UDP ? "UDP" : "TCP", fault);
}

static const uint16_t types[] = {READ_A,   READ_AAAA, READ_SRV, READ_TXT, READ_PTR,
                                 READ_ANY, READ_SOA,  READ_NS,  65280};
#define TYPES (sizeof(types) / sizeof(types[0]))

static void check_some(size_t count)
{
    world.oracle.serial = serial_of(world.zone);
    rebuild_oracle();
    while (count-- > 0) {
        struct reader_name name = in_other_letters(world.names[draw(world.name_count)]);
        check(world.zone, &name, types[draw(TYPES)], draw(2) ? QUERY_UDP : QUERY_TCP);
    }
}

static void check_all(struct zone *zone)
{
    world.oracle.serial = serial_of(zone);
    rebuild_oracle();
    for (size_t i = 0; i < world.name_count; i++)
        for (size_t j = 0; j < TYPES; j++) {
            check(zone, &world.names[i], types[j], QUERY_UDP);
            check(zone, &world.names[i], types[j], QUERY_TCP);
        }
}

static void add_name(const struct reader_name *name)
{
    for (size_t i = 0; i < world.name_count; i++)
        if (oracle_is_same_name(&world.names[i], name))
            return;
    assert_true(world.name_count < NAMES_MAX);
    world.names[world.name_count++] = *name;
}

/* Every name that any key with any value could have, those above, one below, and their short
 * forms. */
static void collect_names(void)
{
    struct oracle *all = &world.all;
    all->options = &world.options;
    all->key_count = KEYS * VALUES;
    all->keys = calloc(all->key_count, sizeof(*all->keys));
    assert_non_null(all->keys);
    for (size_t i = 0; i < all->key_count; i++) {
        struct oracle_key *key = &all->keys[i];
        key->key.len = keys[i / VALUES].len;
        memcpy(key->key.octets, keys[i / VALUES].octets, key->key.len);
        key->value.len = values[i % VALUES].len;
        memcpy(key->value.octets, values[i % VALUES].octets, key->value.len);
    }
    oracle_build(all);
    for (size_t i = 0; i < all->count; i++) {
        struct reader_name name = all->records[i].owner;
        struct reader_name below = oracle_label_name((const uint8_t *)"below", 5, &name);
        add_name(&below);
        size_t relative = name.len - all->zone.len;
        if (relative > 0 && oracle_is_below(&name, &all->zone)) {
            struct reader_name brief = name;
            brief.wire[relative] = 0;
            brief.len = relative + 1;
            add_name(&brief);
        }
        for (size_t at = 0; at < name.len; at += 1u + name.wire[at]) {
            struct reader_name above = {.len = name.len - at};
            memcpy(above.wire, name.wire + at, above.len);
            add_name(&above);
        }
    }
    oracle_forget(all);
    free(all->keys);
}

/* The same keys, in another order. */
static struct zone *fresh_zone(void)
{
    struct zone_options options = world.options;
    struct zone *zone;
    size_t order[KEYS];
    options.host_added = NULL;
    options.host_removed = NULL;
    assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
    for (size_t i = 0; i < KEYS; i++) {
        size_t at = draw(i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (size_t i = 0; i < KEYS; i++)
        if (world.entries[order[i]].is_there)
            put(zone, order[i]);
    for (size_t i = 0; i < world.oracle.host_count; i++) {
        const struct oracle_host *host = &world.oracle.hosts[i];
        assert_int_equal(zone_set_host(zone, host->name, host->addresses, host->count, host->ttl_s),
                         STATUS_OK);
    }
    zone_commit(zone, world.revision);
    return zone;
}

static void check_counts(const struct zone *zone, const struct zone *other)
{
    struct zone_counts a, b;
    zone_counts(zone, &a);
    zone_counts(other, &b);
    assert_int_equal(a.keys, b.keys);
    assert_int_equal(a.services, b.services);
    assert_int_equal(a.switches, b.switches);
    assert_int_equal(a.types, b.types);
    assert_int_equal(a.names, b.names);
    assert_int_equal(a.addresses, b.addresses);
    assert_int_equal(a.hosts, b.hosts);
    assert_int_equal(a.hosts_without_address, b.hosts_without_address);
    assert_int_equal(a.collisions, b.collisions);
    assert_int_equal(a.large_types, b.large_types);
    assert_int_equal(a.ignored_members, b.ignored_members);
    for (unsigned i = 0; i < SKIP_COUNT; i++)
        assert_int_equal(a.skipped[i], b.skipped[i]);
}

static void step(void)
{
    uint64_t choice = draw(40);
    for (uint64_t changes = 1 + draw(6); changes > 0 && choice < 36; changes--)
        if (draw(5) < 3)
            step_put();
        else
            step_remove();
    if (choice >= 38)
        step_load();
    else if (choice >= 36)
        step_host();
    uint32_t before = serial_of(world.zone);
    zone_commit(world.zone, world.revision);
    assert_true((int32_t)(serial_of(world.zone) - before) >= 0);
}

static void begin(const char *host_domain)
{
    memset(&world, 0, sizeof(world));
    world.random = random_begin(20231);
    world.options = (struct zone_options){.domain = "Empusa.internal",
                                          .record_ttl_s = 10,
                                          .negative_ttl_s = 5,
                                          .host_domain = host_domain,
                                          .ns = servers,
                                          .ns_count = 3,
                                          .hosts = fixed_hosts,
                                          .host_count = 2,
                                          .has_switches = true,
                                          .host_added = on_wanted,
                                          .host_removed = on_unwanted,
                                          .arg = &world};
    assert_int_equal(zone_new(&world.options, &world.zone, NULL), STATUS_OK);
    world.ask.scratch = answer_scratch_new();
    world.held = calloc(KEYS, sizeof(*world.held));
    assert_non_null(world.ask.scratch);
    assert_non_null(world.held);
    world.ask.env = (struct answer_env){.state = ANSWER_FRESH, .max_udp_size = 1232};
    world.oracle.options = &world.options;
    world.oracle.keys = world.held;
    collect_names();
}

static void end(void)
{
    print_message("%llu questions about %zu names\n", (unsigned long long)world.checks,
                  world.name_count);
    zone_free(world.zone);
    answer_scratch_free(world.ask.scratch);
    oracle_forget(&world.oracle);
    free(world.held);
}

static void run(const char *host_domain)
{
    struct zone_counts initial, final;
    const char *steps = getenv("EMPUSA_STEPS");
    unsigned long long count = steps ? strtoull(steps, NULL, 10) : STEPS;
    begin(host_domain);
    zone_counts(world.zone, &initial);
    for (unsigned long long i = 0; i < count; i++) {
        step();
        check_some(40);
        if (i % 100 != 0)
            continue;
        struct zone *fresh = fresh_zone();
        check_counts(world.zone, fresh);
        check_all(draw(2) ? fresh : world.zone);
        zone_free(fresh);
    }
    check_all(world.zone);
    for (size_t i = 0; i < KEYS; i++) {
        world.entries[i].is_there = false;
        zone_remove(world.zone, keys[i].octets, keys[i].len);
    }
    zone_commit(world.zone, ++world.revision);
    zone_counts(world.zone, &final);
    assert_int_equal(final.names, initial.names);
    assert_int_equal(final.keys, 0);
    assert_int_equal(final.addresses, 0);
    assert_int_equal(world.oracle.host_count, 0);
    check_all(world.zone);
    end();
}

static void answers_as_the_oracle_whatever_came_before(void **state)
{
    (void)state;
    run(NULL);
}

static void answers_as_the_oracle_with_hosts_outside_the_zone(void **state)
{
    (void)state;
    run("example.org");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_the_oracle_whatever_came_before),
        cmocka_unit_test(answers_as_the_oracle_with_hosts_outside_the_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
