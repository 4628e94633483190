#include "zones/target.h"

#include "zones/names.h"

#include "support/zone_fixture.h"

static struct fixture fixture;

static int set_up(void **state)
{
    static const struct zone_address hosts[] = {{"fixed", {AF_INET, {192, 0, 2, 7}}},
                                                {"Fixed", {AF_INET6, {0x20, 1, [15] = 7}}}};
    (void)state;
    fixture_open(&fixture, (struct zone_options){.hosts = hosts, .host_count = 2});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static struct target *get(const char *text)
{
    struct entry entry;
    struct target *target = NULL;
    assert_int_equal(entry_parse(text, strlen(text), &entry, NULL), STATUS_OK);
    assert_int_equal(names_reserve_reaps(fixture.zone, 8), STATUS_OK);
    assert_int_equal(target_get(fixture.zone, &entry.location, &target), STATUS_OK);
    entry_clear(&entry);
    return target;
}

/* However a location is written: one target, one address record. */
static void the_same_place_is_the_same_target(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"10.1.2.3:1", "10.1.2.3:2"},
        {"10.1.2.3:1", "[::ffff:10.1.2.3]:1"},
        {"10.1.2.3:1", "10-1-2-3.addr.z:1"},
        {"[fd00::1]:1", "[fd00:0:0::1]:1"},
        {"[fd00::1]:1", "fd00-0-0-0-0-0-0-1.ADDR.z:1"},
        {"baz:1", "BAZ:2"},
        {"baz:1", "baz.host.z:1"},
        {"www.example.com:1", "WWW.example.com.:1"},
    };
    static const char *const others[] = {"10.1.2.4:1",        "[fd00::2]:1",        "qux:1",
                                         "baz.example.com:1", "010-1-2-3.addr.z:1", "baz.hosts.z:1",
                                         "x.baz.host.z:1",    "10-1-2-3.addr.zz:1"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (get(rows[i][0]) != get(rows[i][1]))
            fail_msg("%s and %s", rows[i][0], rows[i][1]);
        for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++)
            assert_ptr_not_equal(get(rows[i][0]), get(others[j]));
    }
    fixture_commit(&fixture); /* nobody points at them */
    assert_null(fixture_find(&fixture, "10-1-2-3.addr"));
    assert_null(fixture_find(&fixture, "baz.host"));
    assert_int_equal(fixture_kind(&fixture, "fixed.host"), NODE_HOST);
    uint64_t position = 0;
    assert_null(ptr_table_each(&fixture.zone->elsewhere, &position));
}

static void a_target_stays_while_it_has_users_and_is_as_short_as_they(void **state)
{
    (void)state;
    struct target *target = get("10.1.2.3:1");
    assert_int_equal(target_add_user(fixture.zone, target, 10), STATUS_OK);
    assert_int_equal(target_add_user(fixture.zone, target, 3), STATUS_OK);
    fixture_commit(&fixture);
    assert_ptr_equal(fixture_find(&fixture, "10-1-2-3.addr"), &target->node);
    assert_int_equal(target->ttl_s, 3);
    assert_int_equal(fixture_counts(&fixture).addresses, 1);
    assert_int_equal(names_reserve_reaps(fixture.zone, 8), STATUS_OK);
    target_remove_user(fixture.zone, target, 3);
    assert_int_equal(target->ttl_s, 10);
    target_remove_user(fixture.zone, target, 10);
    assert_non_null(fixture_find(&fixture, "10-1-2-3.addr")); /* until the commit */
    fixture_commit(&fixture);
    assert_null(fixture_find(&fixture, "10-1-2-3.addr"));
    assert_int_equal(fixture_counts(&fixture).addresses, 0);
}

static void hosts_are_asked_for_but_not_those_of_the_configuration(void **state)
{
    (void)state;
    fixture_put(&fixture, "/service/a/1", "Baz:1");
    fixture_put(&fixture, "/service/a/2", "fixed:1");
    fixture_put(&fixture, "/service/a/3", "www.example.com:1");
    assert_string_equal(fixture.hosts, "+baz ");
    fixture_remove(&fixture, "/service/a/1");
    assert_string_equal(fixture.hosts, "+baz ");
    fixture_commit(&fixture);
    assert_string_equal(fixture.hosts, "+baz -baz ");
    struct resolver_address address = {AF_INET, {192, 0, 2, 1}};
    assert_int_equal(zone_set_host(fixture.zone, "fixed", &address, 1, 1), STATUS_OK);
    assert_int_equal(zone_set_host(fixture.zone, "baz", &address, 1, 1), STATUS_OK);
    assert_int_equal(zone_set_host(fixture.zone, "", &address, 1, 1), STATUS_OK);
    assert_string_equal(fixture_text(&fixture, "fixed.host"), "fixed.host.z. 10 IN A 192.0.2.7\n"
                                                              "fixed.host.z. 10 IN AAAA 2001::7\n");
}

/* The same addresses in another order, or twice, are no change: the serial stays. */
static void addresses_are_a_set(void **state)
{
    (void)state;
    static const struct resolver_address one = {AF_INET, {192, 0, 2, 1}},
                                         two = {AF_INET, {192, 0, 2, 2}},
                                         six = {AF_INET6, {0x20, 1, [15] = 1}};
    struct resolver_address rows[][3] = {{two, one, six}, {six, two, one}, {one, one, two}};
    fixture_put(&fixture, "/service/a/1", "baz:1");
    fixture_commit(&fixture);
    assert_int_equal(fixture_counts(&fixture).hosts_without_address, 1);
    assert_int_equal(zone_set_host(fixture.zone, "baz", rows[0], 3, 60), STATUS_OK);
    uint32_t serial = fixture_counts(&fixture).serial;
    assert_string_equal(fixture_text(&fixture, "baz.host"), "baz.host.z. 10 IN A 192.0.2.1\n"
                                                            "baz.host.z. 10 IN A 192.0.2.2\n"
                                                            "baz.host.z. 10 IN AAAA 2001::1\n");
    assert_int_equal(zone_set_host(fixture.zone, "baz", rows[1], 3, 60), STATUS_OK);
    assert_int_equal(fixture_counts(&fixture).serial, serial);
    assert_int_equal(zone_set_host(fixture.zone, "baz", rows[2], 3, 60), STATUS_OK);
    assert_int_equal(fixture_counts(&fixture).serial, serial + 1);
    assert_string_equal(fixture_text(&fixture, "baz.host"), "baz.host.z. 10 IN A 192.0.2.1\n"
                                                            "baz.host.z. 10 IN A 192.0.2.2\n");
    assert_int_equal(zone_set_host(fixture.zone, "baz", NULL, 0, 60), STATUS_OK);
    assert_string_equal(fixture_text(&fixture, "baz.host"), "");
    assert_int_equal(fixture_kind(&fixture, "baz.host"), NODE_HOST); /* NODATA, never NXDOMAIN */
}

static void a_host_has_64_addresses_at_most(void **state)
{
    (void)state;
    struct resolver_address many[100];
    unsigned lines = 0;
    for (unsigned i = 0; i < 100; i++)
        many[i] = (struct resolver_address){AF_INET, {10, 0, 0, (uint8_t)(200 - i)}};
    fixture_put(&fixture, "/service/a/1", "baz:1");
    fixture_commit(&fixture);
    assert_int_equal(zone_set_host(fixture.zone, "baz", many, 100, 60), STATUS_OK);
    for (const char *at = fixture_text(&fixture, "baz.host"); (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 64);
}

#define WITH_ZONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ZONE(the_same_place_is_the_same_target),
        WITH_ZONE(a_target_stays_while_it_has_users_and_is_as_short_as_they),
        WITH_ZONE(hosts_are_asked_for_but_not_those_of_the_configuration),
        WITH_ZONE(addresses_are_a_set),
        WITH_ZONE(a_host_has_64_addresses_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
