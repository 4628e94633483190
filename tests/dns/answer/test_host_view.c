#include "support/world.h"

static struct world world;

#define Z   "empusa.internal."
#define X10 "xxxxxxxxxx"
#define X59 X10 X10 X10 X10 X10 "xxxxxxxxx"
#define X61 X10 X10 X10 X10 X10 X10 "x"

static const struct zone_address hosts[] = {
    {"baz", {AF_INET, {192, 0, 2, 1}}},
    {"baz", {AF_INET6, {0x20, 1, 0xd, 0xb8, [15] = 1}}},
};

static void shows_types_and_instances_as_hosts(void **state)
{
    (void)state;
    static const struct world_row rows[] = {
        {"/service/http/a", "baz:1", 0},
        {"/service/http/A-1", "10.0.0.1:1", 0},
        {"/service/http._udp/a", "10.0.0.2:53", 0},
        {"/service/http/with space", "10.0.0.3:1", 0},
        {"/service/http/under_score", "10.0.0.3:1", 0},
        {"/service/http/-a", "10.0.0.3:1", 0},
        {"/service/http/a-", "10.0.0.3:1", 0},
        {"/service/http/_sub", "10.0.0.3:1", 0},
        {"/service/udp-only._udp/a", "10.0.0.2:53", 0},
        {"/service/My Type/a", "10.0.0.4:1", 0},
        {"/service/hostless/a", "nowhere:1", 0},
        {"/service/" X61 "y/b", "10.0.0.5:1", 0},
        {"/service/service/service", "10.0.0.6:1", 0},
    };
    enum { NX = 3 };
    static const struct {
        const char *name;
        uint16_t type;
        int rcode;
        const char *answer;
    } expected[] = {
        {"http.service." Z, READ_A, 0,
         "10 A 10.0.0.1\n10 A 10.0.0.2\n10 A 10.0.0.3\n10 A 192.0.2.1\n"},
        {"http.service." Z, READ_AAAA, 0, "10 AAAA 2001:db8::1\n"},
        {"a.http.service." Z, READ_A, 0, "10 A 10.0.0.2\n10 A 192.0.2.1\n"}, /* tcp and udp */
        {"a.http.service." Z, READ_SRV, 0,
         "10 SRV 0 1 1 baz.host." Z "\n10 SRV 0 1 53 10-0-0-2.addr." Z "\n"},
        {"a-1.HTTP.service." Z, READ_A, 0, "10 A 10.0.0.1\n"},
        {"udp-only.service." Z, READ_A, 0, "10 A 10.0.0.2\n"},
        {"a.udp-only.service." Z, READ_SRV, 0, "10 SRV 0 1 53 10-0-0-2.addr." Z "\n"},
        {"my-typ-9f9a31a1.service." Z, READ_A, 0, "10 A 10.0.0.4\n"},
        {"hostless.service." Z, READ_A, 0, ""},
        {"hostless.service." Z, READ_SRV, 0, "10 SRV 0 1 1 nowhere.host." Z "\n"},
        {X61 "y.service." Z, READ_A, 0, "10 A 10.0.0.5\n"},
        {X61 "yy.service." Z, READ_A, NX, ""},
        {"b." X61 "yy.service." Z, READ_A, NX, ""},
        {"service.service.service." Z, READ_A, 0, "10 A 10.0.0.6\n"},
        {"http.service." Z, READ_PTR, 0, ""},
        {"http.service." Z, READ_TXT, 0, ""},
        {"service." Z, READ_A, 0, ""},
        {"with space.http.service." Z, READ_A, NX, ""},
        {"under_score.http.service." Z, READ_A, NX, ""},
        {"-a.http.service." Z, READ_A, NX, ""},
        {"a-.http.service." Z, READ_A, NX, ""},
        {"_sub.http.service." Z, READ_A, NX, ""},
        {"b.http.service." Z, READ_A, NX, ""},
        {"x.a.http.service." Z, READ_A, NX, ""},
        {"none.service." Z, READ_A, NX, ""},
        {"_http.service." Z, READ_A, NX, ""},
        {"dns-sd.service." Z, READ_A, NX, ""},
        {"http.service.service." Z, READ_A, NX, ""},
        {"http\\.service." Z, READ_A, NX, ""},
    };
    world_open(&world, (struct zone_options){.hosts = hosts, .host_count = 2}, rows,
               sizeof(rows) / sizeof(rows[0]));
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        world_ask(&world, expected[i].name, expected[i].type, QUERY_UDP);
        if (world.ask.result.rcode != expected[i].rcode)
            fail_msg("%s: rcode %u", expected[i].name, world.ask.result.rcode);
        assert_string_equal(world_text(&world, READ_ANSWER), expected[i].answer);
    }
    world_close(&world);
}

/* An address that several hosts have is said once, wherever it stands among theirs. */
static void shows_each_address_once(void **state)
{
    static const struct zone_address shared[] = {
        {"one", {AF_INET, {192, 0, 2, 1}}},
        {"one", {AF_INET, {192, 0, 2, 2}}},
        {"one", {AF_INET, {192, 0, 2, 3}}},
        {"two", {AF_INET, {192, 0, 2, 3}}},
        {"two", {AF_INET, {192, 0, 2, 2}}},
        {"two", {AF_INET, {192, 0, 2, 4}}},
        {"one", {AF_INET6, {0x20, 1, 0xd, 0xb8, [15] = 1}}},
        {"one", {AF_INET6, {0x20, 1, 0xd, 0xb8, [15] = 2}}},
        {"two", {AF_INET6, {0x20, 1, 0xd, 0xb8, [15] = 2}}},
    };
    static const struct world_row rows[] = {{"/service/http/a", "one:1", 0},
                                            {"/service/http/b", "two:1", 0},
                                            {"/service/http/c", "192.0.2.2:1", 0}};
    (void)state;
    world_open(&world, (struct zone_options){.hosts = shared, .host_count = 9}, rows, 3);
    for (unsigned rotation = 0; rotation < 6; rotation++) {
        world_ask(&world, "http.service." Z, READ_A, QUERY_UDP);
        assert_string_equal(world_text(&world, READ_ANSWER),
                            "10 A 192.0.2.1\n10 A 192.0.2.2\n10 A 192.0.2.3\n10 A 192.0.2.4\n");
        world_ask(&world, "http.service." Z, READ_AAAA, QUERY_UDP);
        assert_string_equal(world_text(&world, READ_ANSWER),
                            "10 AAAA 2001:db8::1\n10 AAAA 2001:db8::2\n");
    }
    world_close(&world);
}

/* One message for both families, with addresses that have their first octets in common. */
static void any_shows_the_addresses_of_both_families(void **state)
{
    static const struct world_row rows[] = {
        {"/service/http/a", "170.187.204.221:1", 0},
        {"/service/http/b", "[aabb:ccdd::ffff:ffff:ffff:ffff]:1", 0},
        {"/service/http/c", "[aabb:ccdd::]:1", 0},
        {"/service/http/d", "170.187.204.221:2", 0},
    };
    (void)state;
    world_open(&world, (struct zone_options){.domain = NULL}, rows, 4);
    world_ask(&world, "http.service." Z, READ_ANY, QUERY_TCP);
    assert_int_equal(world_count(&world, READ_ANSWER), 3 + 4);
    assert_non_null(strstr(world_text(&world, READ_ANSWER), "A 170.187.204.221\n"));
    assert_non_null(
        strstr(world_text(&world, READ_ANSWER), "AAAA aabb:ccdd::ffff:ffff:ffff:ffff\n"));
    assert_non_null(strstr(world_text(&world, READ_ANSWER), "AAAA aabb:ccdd::\n"));
    world_close(&world);
}

/* <name>.<type>.service is two octets longer than <name>._<type>._tcp. */
static void leaves_out_a_view_that_would_be_too_long_alone(void **state)
{
    (void)state;
    char name[300];
    /* 62 + 61 + 5 octets and a zone of 127: 255; the view would have 257. */
    world_open(&world, (struct zone_options){.domain = X61 "." X61 ".z", .ns_count = 0}, NULL, 0);
    world_put(&world, "/service/" X59 "/" X61, "10.0.0.1:1", 0);
    world_refresh(&world);
    snprintf(name, sizeof(name), "%s._%s._tcp.%s.%s.z.", X61, X59, X61, X61);
    world_ask(&world, name, READ_SRV, QUERY_TCP);
    assert_int_equal(world_count(&world, READ_ANSWER), 1);
    snprintf(name, sizeof(name), "%s.service.%s.%s.z.", X59, X61, X61);
    world_ask(&world, name, READ_A, QUERY_TCP);
    assert_int_equal(world_count(&world, READ_ANSWER), 1);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_types_and_instances_as_hosts),
        cmocka_unit_test(shows_each_address_once),
        cmocka_unit_test(any_shows_the_addresses_of_both_families),
        cmocka_unit_test(leaves_out_a_view_that_would_be_too_long_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
