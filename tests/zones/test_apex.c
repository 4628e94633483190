#include "zones/apex.h"

#include "support/zone_fixture.h"

static struct fixture fixture;

static void an_empty_zone_has_what_its_configuration_makes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int kind;
    } rows[] = {{"", NODE_APEX},
                {"_tcp", NODE_EMPTY},
                {"_udp", NODE_EMPTY},
                {"addr", NODE_EMPTY},
                {"host", NODE_EMPTY},
                {"service", NODE_EMPTY},
                {"switch", NODE_EMPTY},
                {"_dns-sd._udp", NODE_EMPTY},
                {"ns", NODE_FIXED},
                {"b._dns-sd._udp", NODE_FIXED},
                {"db._dns-sd._udp", NODE_FIXED},
                {"lb._dns-sd._udp", NODE_FIXED},
                {"_services._dns-sd._udp", NODE_LIST}};
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(fixture_kind(&fixture, rows[i].name), rows[i].kind);
    assert_int_equal(fixture_counts(&fixture).names, sizeof(rows) / sizeof(rows[0]));
    assert_string_equal(fixture_text(&fixture, "z"),
                        "z. 3600 IN NS ns.z.\n"
                        "z. 60 IN SOA ns.z. hostmaster.z. 0 60 20 604800 5\n");
    assert_string_equal(fixture_text(&fixture, "lb"), "lb._dns-sd._udp.z. 3600 IN PTR z.\n");
    /* What it made stays when its real children have come and gone. */
    fixture_put(&fixture, "/switch/a", "on");
    fixture_put(&fixture, "/service/a/1", "baz:1");
    fixture_commit(&fixture);
    fixture_remove(&fixture, "/switch/a");
    fixture_remove(&fixture, "/service/a/1");
    fixture_commit(&fixture);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(fixture_kind(&fixture, rows[i].name), rows[i].kind);
    fixture_close(&fixture);
}

/* However often and in whatever letters a name server is given, it is one, with all its addresses. */
static void name_servers_have_their_addresses_once(void **state)
{
    (void)state;
    static const struct zone_address servers[] = {{"ns1", {AF_INET, {192, 0, 2, 1}}},
                                                  {"NS1", {AF_INET, {192, 0, 2, 2}}},
                                                  {"ns1.z", {AF_INET6, {0x20, 1, [15] = 1}}},
                                                  {"ns1", {AF_INET, {192, 0, 2, 1}}},
                                                  {"ns2.example.net", {AF_INET, {192, 0, 2, 3}}}};
    fixture_open(&fixture, (struct zone_options){.ns = servers, .ns_count = 5});
    assert_string_equal(fixture_text(&fixture, "z"),
                        "z. 3600 IN NS ns1.z.\n"
                        "z. 3600 IN NS ns2.example.net.\n"
                        "z. 60 IN SOA ns1.z. hostmaster.z. 0 60 20 604800 5\n");
    assert_string_equal(fixture_text(&fixture, "ns1"), "ns1.z. 3600 IN A 192.0.2.1\n"
                                                       "ns1.z. 3600 IN A 192.0.2.2\n"
                                                       "ns1.z. 3600 IN AAAA 2001::1\n");
    assert_string_equal(fixture_text(&fixture, "ns2"), "");
    assert_non_null(zone_view(fixture.zone)->ns[0].node);
    assert_null(zone_view(fixture.zone)->ns[1].node);
    fixture_close(&fixture);
}

static void what_cannot_be_names_the_option_and_its_row(void **state)
{
    (void)state;
    static const struct zone_address good = {"ns", {AF_INET, {127, 0, 0, 1}}};
    static const char *const bad_ns[] = {"z.", "addr.z", "x.HOST.z", "_tcp", "a..b", ".", ""};
    static const struct {
        const char *domain, *host_domain;
        enum zone_part part;
    } rows[] = {{".", NULL, ZONE_DOMAIN},     {"", NULL, ZONE_DOMAIN},
                {"a..b", NULL, ZONE_DOMAIN},  {"z", "x.z", ZONE_HOST_DOMAIN},
                {"z", "z", ZONE_HOST_DOMAIN}, {"z", "a..b", ZONE_HOST_DOMAIN}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct zone_fault fault = {ZONE_NO_PART, 77};
        struct zone *zone;
        struct detail why;
        struct zone_options options = {
            .domain = rows[i].domain, .host_domain = rows[i].host_domain, .fault = &fault};
        assert_int_equal(zone_new(&options, &zone, &why), STATUS_BAD_INPUT);
        assert_int_equal(fault.part, rows[i].part);
        assert_true(strlen(why.text) > 0);
    }
    for (size_t i = 0; i < sizeof(bad_ns) / sizeof(bad_ns[0]); i++) {
        struct zone_address servers[] = {good, good, {bad_ns[i], good.address}};
        struct zone_fault fault = {ZONE_NO_PART, 77};
        struct zone *zone;
        struct detail why;
        struct zone_options options = {
            .domain = "z", .ns = servers, .ns_count = 3, .fault = &fault};
        assert_int_equal(zone_new(&options, &zone, &why), STATUS_BAD_INPUT);
        assert_int_equal(fault.part, ZONE_NS);
        assert_int_equal(fault.row, 2);
    }
}

/* In the zone it can be host.<zone> alone, in any letters; elsewhere anything. */
static void the_host_domain_says_where_dotless_hosts_are(void **state)
{
    (void)state;
    static const struct {
        const char *host_domain, *target;
        bool is_inside;
    } rows[] = {{NULL, "Baz.host.z.", true},
                {"HOST.Z", "Baz.HOST.Z.", true},
                {"example.com", "Baz.example.com.", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[128];
        fixture_open(&fixture, (struct zone_options){.host_domain = rows[i].host_domain});
        fixture_put(&fixture, "/service/a/1", "Baz:7");
        fixture_commit(&fixture);
        snprintf(expected, sizeof(expected), "SRV 0 1 7 %s\n", rows[i].target);
        assert_non_null(strstr(fixture_text(&fixture, "1._a._tcp"), expected));
        assert_int_equal(fixture_kind(&fixture, "host"), rows[i].is_inside ? NODE_EMPTY : -1);
        assert_int_equal(fixture_kind(&fixture, "baz.host"), rows[i].is_inside ? NODE_HOST : -1);
        fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_zone_has_what_its_configuration_makes),
        cmocka_unit_test(name_servers_have_their_addresses_once),
        cmocka_unit_test(what_cannot_be_names_the_option_and_its_row),
        cmocka_unit_test(the_host_domain_says_where_dotless_hosts_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
