#include "readers.h"

#include "support/log_lines.h"
#include "support/zone_fixture.h"

static struct fixture fixture;
static struct log_lines lines;

static int set_up(void **state)
{
    (void)state;
    fixture_open(&fixture, (struct zone_options){.leaves_sizes = true});
    log_lines_init(&lines);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static const char *warned(void)
{
    fixture_commit(&fixture);
    readers_warn(fixture.zone, &lines.log);
    return log_lines_take(&lines);
}

/* So many services of a type at the same address. */
static void put_many(const char *type, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char key[64];
        snprintf(key, sizeof(key), "/service/%s/n%03u", type, i);
        fixture_put(&fixture, key, "10.1.2.3:80");
    }
}

/* Only of a host is it odd: names of services may be anything. */
static void ordinary_names_are_not_warned_of(void **state)
{
    (void)state;
    fixture_put(&fixture, "/service/http/a_b c", "10.1.2.3:80");
    fixture_put(&fixture, "/service/http/b", "www.example-1.com:80");
    fixture_put(&fixture, "/switch/a_b", "on");
    assert_string_equal(warned(), "");
}

/* Each has an SRV record at its instance, its type and the two names for people. */
static void hosts_that_are_no_host_names_are_counted(void **state)
{
    (void)state;
    fixture_put(&fixture, "/service/http/b", "my_host.example.com:80");
    fixture_put(&fixture, "/service/http/c", "x-y.example.com:80");
    assert_string_equal(warned(),
                        "WARNING:4 records name a host that is not letters, digits and hyphens, "
                        "such as my_host.example.com.: as primary BIND refuses the zone without "
                        "check-names ignore\n");
}

static void sets_of_more_than_100_records_are_counted(void **state)
{
    (void)state;
    put_many("http", 100);
    assert_string_equal(warned(), "");
    put_many("web", 101);
    assert_string_equal(warned(),
                        "WARNING:2 sets have more than 100 records, such as _web._tcp.z. PTR: BIND "
                        "refuses the zone without max-records-per-type 0\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ordinary_names_are_not_warned_of),
        TEST(hosts_that_are_no_host_names_are_counted),
        TEST(sets_of_more_than_100_records_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
