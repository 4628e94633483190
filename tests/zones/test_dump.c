/* Whatever has happened to a zone, its dump is what the oracle says that it holds. */
#include "zones/dump.h"

#include "support/oracle.h"
#include "zones/name/rr.h"
#include "zones/zone_state.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define STEPS     400
#define LONG_50   "01234567890123456789012345678901234567890123456789"
#define LARGE     20000
#define LEASE_3_S ((int64_t)(UINT64_C(0x45) << 55 | UINT64_C(3) << 47))

static const char *const keys[] = {
    "/service/http/a",
    "/service/http/A",
    "/service/HTTP/a",
    "/service/_http/a",
    "/service/http._udp/a",
    "/service/HTTP._udp/A",
    "/service/http/b-c",
    "/service/http/x y.z\\",
    "/service/http/-b",
    "/service/http/*",
    "/service/My.Odd Type!/one",
    "/service/" LONG_50 LONG_50 "/two",
    "/service/" LONG_50 "abcd/" LONG_50 "0123",
    "/service/only._udp/here",
    "/switch/a",
    "/switch/A",
    "/switch/a/b",
    "/switch/\"$x;/\xff",
};

static const char *const values[] = {
    "baz:1",
    "BAZ:1",
    "www:2",
    "fixed:7",
    "10.1.2.3:80",
    "10.1.2.3:81",
    "10.1.2.4:80",
    "[fd00::1]:80",
    "[::]:80",
    "0.0.0.0:80",
    "www.example.com:443",
    "nonsense",
    "{\"location\":\"10.1.2.3:80\",\"subtypes\":[\"printer\",\"a.b\"],\"txt\":{\"a\":\"1\"}}",
    "{\"location\":\"baz:3\",\"subtypes\":[\"Printer\"],\"state\":\"draining\"}",
    "{\"location\":\"baz:1\",\"protocol\":\"udp\",\"priority\":7,\"txt\":{\"type\":\"x\"}}",
};

#define KEYS   (sizeof(keys) / sizeof(keys[0]))
#define VALUES (sizeof(values) / sizeof(values[0]))

static const struct zone_address servers[] = {
    {"ns", {AF_INET, {127, 0, 0, 1}}},
    {"ns", {AF_INET6, {[15] = 1}}},
    {"ns", {AF_INET, {127, 0, 0, 2}}},
    {"ns2.example.net", {AF_INET, {192, 0, 2, 1}}},
};
static const struct zone_address hosts[] = {{"fixed", {AF_INET, {192, 0, 2, 7}}},
                                            {"fixed", {AF_INET6, {0x20, 1, [15] = 7}}}};

/* A dump, kept. */
struct kept {
    struct reader_name owner;
    uint16_t type;
    uint32_t ttl_s;
    uint8_t *data;
    size_t len;
};

static struct {
    struct zone_options options;
    struct zone *zone;
    struct oracle oracle;
    struct oracle_key held[KEYS];
    int64_t leases[KEYS];
    int value_of[KEYS]; /* -1: not there */
    int64_t revision;
    struct kept *kept;
    size_t count, room, stop_at;
} world;

static bool keep(void *arg, const struct dump_record *record)
{
    assert_ptr_equal(arg, &world);
    if (world.count == world.room) {
        world.room = world.room * 2 + 64;
        world.kept = realloc(world.kept, world.room * sizeof(*world.kept));
        assert_non_null(world.kept);
    }
    struct kept *kept = &world.kept[world.count++];
    *kept = (struct kept){.owner.len = record->owner_len,
                          .type = record->type,
                          .ttl_s = record->ttl_s,
                          .data = malloc(record->rdata_len + 1u),
                          .len = record->rdata_len};
    assert_non_null(kept->data);
    memcpy(kept->owner.wire, record->owner, record->owner_len);
    memcpy(kept->data, record->rdata, record->rdata_len);
    return world.count != world.stop_at;
}

static void forget(void)
{
    while (world.count > 0)
        free(world.kept[--world.count].data);
}

static void dump(void)
{
    forget();
    assert_int_equal(dump_zone(world.zone, keep, &world), STATUS_OK);
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    world.options = (struct zone_options){.domain = "Empusa.internal",
                                          .record_ttl_s = 10,
                                          .negative_ttl_s = 5,
                                          .ns = servers,
                                          .ns_count = sizeof(servers) / sizeof(servers[0]),
                                          .hosts = hosts,
                                          .host_count = sizeof(hosts) / sizeof(hosts[0]),
                                          .has_switches = true};
    world.oracle = (struct oracle){.options = &world.options, .keys = world.held};
    for (size_t i = 0; i < KEYS; i++)
        world.value_of[i] = -1;
    return zone_new(&world.options, &world.zone, NULL) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    forget();
    free(world.kept);
    oracle_forget(&world.oracle);
    zone_free(world.zone);
    return 0;
}

static void put(size_t key, unsigned value, int64_t lease)
{
    assert_int_equal(zone_put(world.zone, keys[key], strlen(keys[key]), values[value],
                              strlen(values[value]), ++world.revision, lease),
                     STATUS_OK);
    world.value_of[key] = (int)value;
    world.leases[key] = lease;
}

static void drop(size_t key)
{
    world.revision++;
    zone_remove(world.zone, keys[key], strlen(keys[key]));
    world.value_of[key] = -1;
}

static void fill_text(struct oracle_text *out, const char *text)
{
    out->len = strlen(text);
    memcpy(out->octets, text, out->len);
}

static void ask_oracle(void)
{
    struct zone_counts counts;
    zone_counts(world.zone, &counts);
    world.oracle.serial = counts.serial;
    world.oracle.key_count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        if (world.value_of[i] < 0)
            continue;
        struct oracle_key *key = &world.held[world.oracle.key_count++];
        fill_text(&key->key, keys[i]);
        fill_text(&key->value, values[world.value_of[i]]);
        key->lease_ttl_s = world.leases[i] ? 3 : 0;
    }
    oracle_build(&world.oracle);
}

/* No RRset in two places: some readers pay for that with memory. */
static void check_order(void)
{
    for (size_t i = 2; i < world.count; i++) {
        const struct kept *record = &world.kept[i], *before = &world.kept[i - 1];
        if (record->type == before->type && oracle_is_same_name(&record->owner, &before->owner))
            continue;
        for (size_t j = 0; j + 1 < i; j++)
            assert_false(record->type == world.kept[j].type &&
                         oracle_is_same_name(&record->owner, &world.kept[j].owner));
    }
}

static void check(void)
{
    size_t expected = 0;
    ask_oracle();
    dump();
    for (size_t i = 0; i < world.oracle.count; i++)
        expected += world.oracle.records[i].type != 0 && !world.oracle.records[i].is_limit;
    for (size_t i = 0; i < world.count; i++) {
        const struct kept *kept = &world.kept[i];
        if (!oracle_lookup(&world.oracle, &kept->owner, kept->type, kept->data, kept->len) ||
            kept->ttl_s != oracle_ttl(&world.oracle, &kept->owner, kept->type)) {
            char text[NAME_TEXT_MAX];
            name_to_text(kept->owner.wire, kept->owner.len, text);
            fail_msg("%s %u IN TYPE%u", text, kept->ttl_s, kept->type);
        }
    }
    assert_int_equal(world.count, expected); /* all of them are different: see check_order() */
    check_order();
}

static void an_empty_zone_has_what_the_configuration_makes(void **state)
{
    (void)state;
    zone_commit(world.zone, 1);
    check();
    assert_int_equal(world.kept[0].type, TYPE_SOA);
    assert_int_equal(world.kept[1].type, TYPE_NS);
    assert_memory_equal(world.kept[0].owner.wire, "\6Empusa\10internal", 17);
    assert_int_equal(world.count, 1 + 2 + 3 + 3 + 2); /* SOA, NS, browsing, ns, fixed.host */
}

static void every_key_alone_is_dumped_as_it_is_served(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        for (unsigned j = 0; j < VALUES; j++) {
            put(i, j, j % 3 ? 0 : LEASE_3_S);
            zone_commit(world.zone, world.revision);
            check();
            drop(i);
        }
    zone_commit(world.zone, world.revision);
    check();
}

/* xorshift64 */
static unsigned draw(uint64_t *random, unsigned below)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)(*random % below);
}

static void after_any_changes_the_dump_is_what_is_served(void **state)
{
    (void)state;
    const char *seed = getenv("EMPUSA_SEED");
    uint64_t random = seed ? strtoull(seed, NULL, 10) : 20250704;
    print_message("EMPUSA_SEED=%llu\n", (unsigned long long)random);
    for (int step = 0; step < STEPS; step++) {
        for (unsigned changes = 1 + draw(&random, 4); changes > 0; changes--) {
            size_t key = draw(&random, KEYS);
            if (draw(&random, 3) == 0)
                drop(key);
            else
                put(key, draw(&random, VALUES), draw(&random, 4) ? 0 : LEASE_3_S);
        }
        zone_commit(world.zone, world.revision);
        check();
    }
}

static void two_zones_with_the_same_keys_have_the_same_dump(void **state)
{
    (void)state;
    struct zone *zones[2];
    struct kept *first = NULL;
    size_t first_count = 0;
    for (int z = 0; z < 2; z++) {
        assert_int_equal(zone_new(&world.options, &zones[z], NULL), STATUS_OK);
        for (size_t i = 0; i < KEYS; i++)
            assert_int_equal(zone_put(zones[z], keys[i], strlen(keys[i]), values[i % VALUES],
                                      strlen(values[i % VALUES]), 1, 0),
                             STATUS_OK);
        zone_commit(zones[z], 7);
        assert_int_equal(dump_zone(zones[z], keep, &world), STATUS_OK);
        if (z > 0)
            break;
        first = world.kept;
        first_count = world.count;
        world.kept = NULL;
        world.count = world.room = 0;
    }
    assert_int_equal(world.count, first_count);
    for (size_t i = 0; i < first_count; i++) {
        assert_memory_equal(&world.kept[i].owner, &first[i].owner, sizeof(first[i].owner));
        assert_int_equal(world.kept[i].len, first[i].len);
        assert_memory_equal(world.kept[i].data, first[i].data, first[i].len);
        free(first[i].data);
    }
    free(first);
    zone_free(zones[0]);
    zone_free(zones[1]);
}

static size_t count_of(const char *owner, uint16_t type)
{
    size_t count = 0;
    struct reader_name name = oracle_text_name(owner, &world.oracle.zone);
    for (size_t i = 0; i < world.count; i++)
        count += world.kept[i].type == type && oracle_is_same_name(&world.kept[i].owner, &name);
    return count;
}

/* More than any answer looks at. */
static void a_large_type_is_whole_and_has_no_duplicates(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LARGE; i++) {
        char key[64], value[64];
        int key_len = snprintf(key, sizeof(key), "/service/http/i%u", i);
        int value_len = snprintf(value, sizeof(value), "10.0.%u.%u:%u", i / 256 % 64, i % 256,
                                 1 + i / 10000); /* 16,384 addresses, two ports */
        assert_int_equal(
            zone_put(world.zone, key, (size_t)key_len, value, (size_t)value_len, i + 1, 0),
            STATUS_OK);
    }
    zone_commit(world.zone, LARGE);
    dump();
    world.oracle.zone = oracle_text_name("empusa.internal", NULL);
    assert_int_equal(count_of("_http._tcp", TYPE_PTR), LARGE);
    assert_int_equal(count_of("_http._tcp", TYPE_TXT), LARGE);
    assert_int_equal(count_of("_http._tcp", TYPE_SRV), LARGE);
    assert_int_equal(count_of("http.service", TYPE_SRV), LARGE);
    assert_int_equal(count_of("http.service", TYPE_A), 16384);
    assert_int_equal(count_of("i19999._http._tcp", TYPE_SRV), 1);
    assert_int_equal(count_of("i19999.http.service", TYPE_A), 1);
}

/* A view is two octets longer than the instance. */
static void a_view_whose_name_is_too_long_is_left_out_alone(void **state)
{
    (void)state;
    static const char label[] = "0123456789012345678901234567890123456789012345678901234567890";
    for (size_t zone_len = 117; zone_len <= 123; zone_len++) {
        struct zone *zone;
        char domain[128], key[256];
        memset(domain, 'x', sizeof(domain));
        domain[40] = domain[80] = '.';
        domain[zone_len - 2] = '\0'; /* in wire form two octets more */
        world.options.domain = domain;
        assert_int_equal(zone_new(&world.options, &zone, NULL), STATUS_OK);
        snprintf(key, sizeof(key), "/service/%s/%s01", label, label);
        assert_int_equal(zone_put(zone, key, strlen(key), "10.1.2.3:80", 11, 1, 0), STATUS_OK);
        zone_commit(zone, 1);
        forget();
        assert_int_equal(dump_zone(zone, keep, &world), STATUS_OK);
        size_t of_instance = 0, of_view = 0, longest = 0;
        for (size_t i = 0; i < world.count; i++) {
            const struct kept *kept = &world.kept[i];
            bool is_own = kept->type == TYPE_SRV && kept->owner.wire[0] == 63;
            of_instance += is_own && kept->owner.wire[64] == 62;
            of_view += is_own && kept->owner.wire[64] == 61;
            longest = kept->owner.len > longest ? kept->owner.len : longest;
        }
        assert_int_equal(of_instance, 64 + 63 + 5 + zone_len <= 255);
        assert_int_equal(of_view, 64 + 62 + 8 + zone_len <= 255);
        assert_true(longest <= 255);
        zone_free(zone);
    }
}

static void a_dump_ends_when_it_is_told_to(void **state)
{
    (void)state;
    zone_commit(world.zone, 1);
    dump();
    size_t all = world.count;
    for (size_t stop = 1; stop <= all; stop++) {
        forget();
        world.stop_at = stop;
        assert_int_equal(dump_zone(world.zone, keep, &world), STATUS_CANCELLED);
        assert_int_equal(world.count, stop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_zone_has_what_the_configuration_makes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_key_alone_is_dumped_as_it_is_served, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(after_any_changes_the_dump_is_what_is_served, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(two_zones_with_the_same_keys_have_the_same_dump, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_large_type_is_whole_and_has_no_duplicates, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_view_whose_name_is_too_long_is_left_out_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_dump_ends_when_it_is_told_to, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
