#include "support/world.h"

static struct world world;

#define Z "empusa.internal."

static const struct zone_address hosts[] = {
    {"baz", {AF_INET, {192, 0, 2, 1}}},
    {"baz", {AF_INET6, {0x20, 1, 0xd, 0xb8, [15] = 1}}},
    {"qux", {AF_INET, {192, 0, 2, 2}}},
};

static void gives_what_the_client_would_ask_next(void **state)
{
    (void)state;
    static const struct world_row rows[] = {
        {"/service/http/a", "baz:1", 0},
        {"/service/http/b", "baz:2", 0},
        {"/service/ftp/a", "{\"location\":\"10.0.0.1:1\",\"subtypes\":[\"x\"]}", 0},
        {"/service/out/a", "www.example.com:1", 0},
        {"/service/none/a", "nowhere:1", 0},
    };
    static const struct {
        const char *name;
        uint16_t type;
        const char *additional;
    } expected[] = {
        {"_http._tcp." Z, READ_SRV,
         "baz.host." Z " 10 A 192.0.2.1\nbaz.host." Z " 10 AAAA 2001:db8::1\n"},
        {"a._http._tcp." Z, READ_SRV,
         "baz.host." Z " 10 A 192.0.2.1\nbaz.host." Z " 10 AAAA 2001:db8::1\n"},
        {"http.service." Z, READ_SRV,
         "baz.host." Z " 10 A 192.0.2.1\nbaz.host." Z " 10 AAAA 2001:db8::1\n"},
        {"_http._tcp." Z, READ_PTR,
         "a._http._tcp." Z " 10 SRV 0 1 1 baz.host." Z "\n"
         "a._http._tcp." Z " 10 TXT \"\"\n"
         "b._http._tcp." Z " 10 SRV 0 1 2 baz.host." Z "\n"
         "b._http._tcp." Z " 10 TXT \"\"\n"
         "baz.host." Z " 10 A 192.0.2.1\nbaz.host." Z " 10 AAAA 2001:db8::1\n"},
        {"_x._sub._ftp._tcp." Z, READ_PTR,
         "10-0-0-1.addr." Z " 10 A 10.0.0.1\n"
         "a._ftp._tcp." Z " 10 SRV 0 1 1 10-0-0-1.addr." Z "\n"
         "a._ftp._tcp." Z " 10 TXT \"\"\n"},
        {Z, READ_NS, "ns." Z " 3600 A 127.0.0.1\n"},
        {"_out._tcp." Z, READ_SRV, ""},
        {"_none._tcp." Z, READ_SRV, ""},
        {"a._http._tcp." Z, READ_TXT, ""},
        {"baz.host." Z, READ_A, ""},
        {"_services._dns-sd._udp." Z, READ_PTR, ""},
        {"lb._dns-sd._udp." Z, READ_PTR, ""},
        {Z, READ_SOA, ""},
    };
    world_open(&world, (struct zone_options){.hosts = hosts, .host_count = 3}, rows,
               sizeof(rows) / sizeof(rows[0]));
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        for (unsigned transport = QUERY_UDP; transport <= QUERY_TCP; transport++) {
            world_ask(&world, expected[i].name, expected[i].type, transport);
            assert_string_equal(world_text(&world, READ_ADDITIONAL), expected[i].additional);
        }
    world_close(&world);
}

static void keys_of_one_name_are_one_rrset_in_the_additional_section(void **state)
{
    (void)state;
    static const struct world_row rows[] = {
        {"/service/http/a", "baz:1", 0},  {"/service/HTTP/A", "baz:2", 0},
        {"/service/http/b", "baz:1", 0},  {"/service/HTTP/B", "qux:2", 0},
        {"/service/_http/b", "baz:2", 0},
    };
    world_open(&world, (struct zone_options){.hosts = hosts, .host_count = 3}, rows,
               sizeof(rows) / sizeof(rows[0]));
    world_ask(&world, "_http._tcp." Z, READ_PTR, QUERY_TCP);
    assert_string_equal(world_text(&world, READ_ADDITIONAL),
                        "A._http._tcp." Z " 10 SRV 0 1 1 baz.host." Z "\n"
                        "A._http._tcp." Z " 10 SRV 0 1 2 baz.host." Z "\n"
                        "A._http._tcp." Z " 10 TXT \"\"\n"
                        "B._http._tcp." Z " 10 SRV 0 1 1 baz.host." Z "\n"
                        "B._http._tcp." Z " 10 SRV 0 1 2 baz.host." Z "\n"
                        "B._http._tcp." Z " 10 SRV 0 1 2 qux.host." Z "\n"
                        "B._http._tcp." Z " 10 TXT \"\"\n"
                        "baz.host." Z " 10 A 192.0.2.1\n"
                        "baz.host." Z " 10 AAAA 2001:db8::1\n"
                        "qux.host." Z " 10 A 192.0.2.2\n");
    world_close(&world);
}

/* world_send() lets the oracle see that RRsets, and instances, are whole at every size. */
static void what_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    static const struct world_row rows[] = {
        {"/service/http/a", "{\"location\":\"baz:1\",\"txt\":{\"k\":\"vvvvvvvvvvvvvvvvvvvvv\"}}",
         0},
        {"/service/http/b", "10.0.0.1:1", 0},
        {"/service/http/c", "{\"location\":\"[fd00::1]:1\",\"txt\":{\"kk\":\"vvvvvvvvvv\"}}", 0},
        {"/service/http/d", "qux:1", 0},
        {"/service/HTTP/D", "baz:1", 0},
        {"/service/http/e", "baz:7", 0},
    };
    bool has[2][32] = {{false}};
    world_open(&world, (struct zone_options){.hosts = hosts, .host_count = 3}, rows,
               sizeof(rows) / sizeof(rows[0]));
    for (unsigned size = 512; size <= 1232; size++)
        for (unsigned i = 0; i < 2; i++) {
            struct ask_query query = ask_query("_http._tcp." Z, i ? READ_SRV : READ_PTR);
            static const uint8_t nsid[] = {0, 3, 0, 0};
            ask_opt(&query, size, 0, nsid, 4);
            world.ask.env.nsid_len = (uint16_t)(size % 128);
            world.ask.rotation = size;
            world_send(&world, &query, QUERY_UDP);
            assert_false(world.ask.result.is_truncated);
            has[i][world_count(&world, READ_ADDITIONAL)] = true;
        }
    unsigned counts = 0;
    for (unsigned i = 0; i < 32; i++)
        counts += has[0][i];
    assert_true(counts > 3); /* the sizes met several cuts */
    world_close(&world);
}

/* Who is given one family alone may take it for all that there is. */
static void a_target_has_all_its_addresses_or_none(void **state)
{
    (void)state;
    unsigned seen[2] = {0};
    world_open(&world, (struct zone_options){.hosts = hosts, .host_count = 3}, NULL, 0);
    world_put(&world, "/service/http/baz", "baz:1", 0);
    for (unsigned i = 0; i < 10; i++) {
        char key[32], value[32];
        snprintf(key, sizeof(key), "/service/http/n%u", i);
        snprintf(value, sizeof(value), "10.0.0.%u:1", i);
        world_put(&world, key, value, 0);
    }
    world_refresh(&world);
    for (unsigned size = 512; size <= 1000; size++) {
        struct ask_query query = ask_query("_http._tcp." Z, READ_SRV);
        ask_opt(&query, size, 0, NULL, 0);
        world.ask.rotation = size;
        world_send(&world, &query, QUERY_UDP);
        const char *text = world_text(&world, READ_ADDITIONAL);
        bool has_a = strstr(text, "baz.host." Z " 10 A ");
        assert_int_equal(has_a, strstr(text, "baz.host." Z " 10 AAAA ") != NULL);
        seen[has_a]++;
    }
    assert_true(seen[false] > 10 && seen[true] > 10);
    world_close(&world);
}

/* Two keys to each name, so that none goes the short way. */
static void every_instance_of_a_large_type_has_its_addresses(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    world_open(&world, (struct zone_options){.domain = NULL}, NULL, 0);
    for (unsigned i = 0; i < COUNT; i++)
        for (unsigned j = 0; j < 2; j++) {
            char key[64], value[64];
            snprintf(key, sizeof(key), "/service/%s/i%u", j ? "MANY" : "many", i);
            snprintf(value, sizeof(value), "10.%u.%u.%u:80", j, i >> 8, i & 255);
            world_put(&world, key, value, 0);
        }
    world_refresh(&world);
    world_ask(&world, "_many._tcp." Z, READ_PTR, QUERY_TCP);
    assert_int_equal(world_count(&world, READ_ANSWER), COUNT);
    /* Two SRV records, one TXT and two addresses for each name. */
    assert_int_equal(world_count(&world, READ_ADDITIONAL), 5 * COUNT);
    world_close(&world);
}

/* A message that SRV, TXT and address fill to the last octet has them; one octet less has nothing
 * of the instance. */
static void an_instance_that_just_fits_is_there(void **state)
{
    (void)state;
    static const char *const values[] = {"10.0.0.1:1", "[fd00::1]:1"};
    for (size_t i = 0; i < 2; i++) {
        char text[600];
        snprintf(text, sizeof(text),
                 "{\"location\":\"%s\",\"txt\":{\"k\":\"%0240u\",\"l\":\"%0240u\"}}", values[i], 0u,
                 0u);
        world_open(&world, (struct zone_options){.domain = NULL}, NULL, 0);
        world_put(&world, "/service/http/a", text, 0);
        world_refresh(&world);
        struct ask_query query = ask_query("_http._tcp." Z, READ_PTR);
        ask_opt(&query, 1232, 0, NULL, 0);
        world_send(&world, &query, QUERY_UDP);
        size_t len = world.ask.result.len;
        assert_int_equal(world_count(&world, READ_ADDITIONAL), 3);
        assert_true(len > 512);
        for (unsigned less = 0; less < 2; less++) {
            query = ask_query("_http._tcp." Z, READ_PTR);
            ask_opt(&query, (unsigned)len + 6 - less, 0, NULL, 0); /* 6: for an extended error */
            world_send(&world, &query, QUERY_UDP);
            assert_int_equal(world_count(&world, READ_ADDITIONAL), less ? 0 : 3);
        }
        world_close(&world);
    }
}

/* HAProxy refuses more than it said it takes, over TCP, too. */
static void tcp_ends_optional_records_at_the_client_s_size(void **state)
{
    (void)state;
    static const struct {
        unsigned edns, limit; /* edns 0: none */
    } rows[] = {{0, 65535}, {512, 512}, {4096, 4096}, {8192, 8192}, {65535, 65535}};
    world_open(&world, (struct zone_options){.domain = NULL}, NULL, 0);
    for (unsigned i = 0; i < 100; i++) {
        char key[64], value[64];
        snprintf(key, sizeof(key), "/service/many/instance-%03u", i);
        snprintf(value, sizeof(value), "10.1.2.%u:80", i);
        world_put(&world, key, value, 0);
    }
    world_refresh(&world);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned j = 0; j < 2; j++) {
            struct ask_query query = ask_query("_many._tcp." Z, j ? READ_SRV : READ_PTR);
            if (rows[i].edns)
                ask_opt(&query, rows[i].edns, 0, NULL, 0);
            world_send(&world, &query, QUERY_TCP);
            assert_int_equal(world_count(&world, READ_ANSWER), 100);
            size_t additional = world_count(&world, READ_ADDITIONAL), len = world.ask.result.len;
            assert_true(additional == 0 || len <= rows[i].limit);
            assert_int_equal(additional > 0,
                             rows[i].limit > 512 && (j == 0 || len < rows[i].limit));
        }
    world_close(&world);
}

/* A target in the zone: "10-1-2-3.addr", "fd00-...", "h-1.host". */
static void put_many(unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        char key[128], value[64];
        snprintf(key, sizeof(key), "/service/many/%s%04u", name, i);
        if (i % 3 == 0)
            snprintf(value, sizeof(value), "[fd00::%x]:%u", i, 1000 + i);
        else
            snprintf(value, sizeof(value), "10.1.%u.%u:%u", i >> 8, i & 255, 1000 + i);
        world_put(&world, key, value, 0);
    }
}

/* HAProxy asks each second for each server whose address it was not told. Beyond 16,383 octets no
 * pointer reaches a target's name. */
static void tcp_brings_the_address_of_each_of_500_servers(void **state)
{
    (void)state;
    static const char *const names[] = {"_many._tcp." Z, "_MANY._tcp.Empusa.INTERNAL.",
                                        "_many._tcp.", "many.service." Z};
    world_open(&world, (struct zone_options){.hosts = hosts, .host_count = 3}, NULL, 0);
    put_many(499, "instance-");
    world_put(&world, "/service/many/last", "baz:1", 0);
    world_refresh(&world);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct ask_query query = ask_query(names[i], READ_SRV);
        if (i & 1)
            ask_opt(&query, 65535, 0, NULL, 0);
        world.ask.rotation += 123;
        world_send(&world, &query, QUERY_TCP);
        assert_int_equal(world_count(&world, READ_ANSWER), 500);
        assert_int_equal(world_count(&world, READ_ADDITIONAL), 501);
    }
    world_close(&world);
}

/* However long the names are: what no pointer reaches is left out or stands in full, and whole. */
static void no_pointer_reaches_too_far(void **state)
{
    (void)state;
    static const char *const names[] = {
        "i", "instance-with-a-long-name-",
        "instance-with-the-longest-name-that-there-may-be-of-63-octets-"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        world_open(&world, (struct zone_options){.hosts = hosts, .host_count = 3}, NULL, 0);
        put_many(400, names[i]);
        world_refresh(&world);
        for (unsigned j = 0; j < 2; j++) {
            world_ask(&world, "_Many._tcp." Z, j ? READ_PTR : READ_SRV, QUERY_TCP);
            assert_int_equal(world_count(&world, READ_ANSWER), 400);
            assert_true(world_count(&world, READ_ADDITIONAL) >= 400);
        }
        world_close(&world);
    }
}

static void name_servers_bring_their_addresses(void **state)
{
    (void)state;
    static const struct zone_address servers[] = {
        {"ns1", {AF_INET, {192, 0, 2, 1}}},
        {"ns1", {AF_INET6, {0x20, 1, 0xd, 0xb8, [15] = 1}}},
        {"ns2.example.net", {AF_INET, {192, 0, 2, 2}}},
        {"a.b.empusa.internal.", {AF_INET, {192, 0, 2, 3}}},
    };
    world_open(&world, (struct zone_options){.ns = servers, .ns_count = 4}, NULL, 0);
    world_ask(&world, Z, READ_NS, QUERY_UDP);
    assert_string_equal(world_text(&world, READ_ANSWER), "3600 NS a.b." Z "\n"
                                                         "3600 NS ns1." Z "\n"
                                                         "3600 NS ns2.example.net.\n");
    assert_string_equal(world_text(&world, READ_ADDITIONAL), "a.b." Z " 3600 A 192.0.2.3\n"
                                                             "ns1." Z " 3600 A 192.0.2.1\n"
                                                             "ns1." Z " 3600 AAAA 2001:db8::1\n");
    world_ask(&world, "b." Z, READ_A, QUERY_UDP); /* an empty non-terminal */
    assert_int_equal(world.ask.result.rcode, 0);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_what_the_client_would_ask_next),
        cmocka_unit_test(keys_of_one_name_are_one_rrset_in_the_additional_section),
        cmocka_unit_test(what_does_not_fit_is_left_out_whole),
        cmocka_unit_test(a_target_has_all_its_addresses_or_none),
        cmocka_unit_test(an_instance_that_just_fits_is_there),
        cmocka_unit_test(every_instance_of_a_large_type_has_its_addresses),
        cmocka_unit_test(tcp_ends_optional_records_at_the_client_s_size),
        cmocka_unit_test(tcp_brings_the_address_of_each_of_500_servers),
        cmocka_unit_test(no_pointer_reaches_too_far),
        cmocka_unit_test(name_servers_bring_their_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
