/* Hosts with the n-th allocation failing, for all n: one is looked up, or whoever named it hears that there is no memory; and
 * addresses that could not be taken are looked up again. */
#include "zones/hosts.h"

#include "support/allocation.h"
#include "support/client_loop.h"
#include "support/fake_dns.h"
#include "zones/store/rcu.h"
#include "zones/zone.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

#define WAIT_MS 20000

static const struct fake_dns_row rows[] = {{"good", FAKE_DNS_A, 60, "10.1.2.3", 0}};
static const struct log quiet = {0};

static struct client_loop client;
static struct fake_dns dns;
static struct resolver *resolver;
static struct hosts *hosts;
static unsigned found, refused; /* refused: how many are still to be */

static enum status on_found(void *arg, const char *name, const struct resolver_address *addresses,
                            size_t count, uint32_t ttl_s)
{
    (void)arg, (void)name, (void)addresses, (void)ttl_s;
    if (refused > 0) {
        refused--;
        return STATUS_NO_MEMORY;
    }
    found += count > 0;
    return STATUS_OK;
}

static void open_all(void)
{
    struct detail why;
    found = refused = 0;
    hosts = NULL;
    client_loop_open(&client);
    assert_true(fake_dns_start(&dns, &client.loop, rows, sizeof(rows) / sizeof(rows[0])));
    assert_int_equal(resolver_open(&client.loop, &resolver, &why), STATUS_OK);
    assert_int_equal(resolver_set_servers(resolver, dns.address, &why), STATUS_OK);
}

static void close_all(void)
{
    resolver_close(resolver);
    hosts_stop(hosts);
    fake_dns_stop(&dns);
    assert_int_equal(client_loop_close(&client), 0);
}

static enum status add(void)
{
    enum status status =
        hosts ? STATUS_OK : hosts_start(&client.loop, resolver, &quiet, on_found, NULL, &hosts);
    return status == STATUS_OK ? hosts_add(hosts, "good") : status;
}

static void a_host_is_looked_up_or_refused(void **state)
{
    bool has_failed = true;
    unsigned n = 0;
    (void)state;
    for (; has_failed; n++) {
        open_all();
        allocation_begin(n);
        enum status status = add();
        has_failed = allocation_end();
        assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
        assert_int_equal(add(), STATUS_OK); /* with memory, or once more */
        assert_true(CLIENT_LOOP_UNTIL(&client, found, WAIT_MS));
        close_all();
    }
    assert_int_equal(n, 4);
}

static void addresses_that_were_not_taken_are_looked_up_again(void **state)
{
    (void)state;
    open_all();
    refused = 1;
    assert_int_equal(add(), STATUS_OK);
    assert_true(CLIENT_LOOP_UNTIL(&client, found, WAIT_MS)); /* not in the 60 s of their TTL */
    close_all();
}

static struct {
    unsigned added, removed;
    enum status status;
} told;

static enum status on_added(void *arg, const char *name)
{
    (void)arg, (void)name;
    told.added += told.status == STATUS_OK;
    return told.status;
}

static void on_removed(void *arg, const char *name)
{
    (void)arg, (void)name;
    told.removed++;
}

/* The zone: a host that nobody looks up would have no address for ever. */
static void a_key_whose_host_is_refused_is_not_put(void **state)
{
    static const char key[] = "/service/web/shop", value[] = "www:80";
    static const struct zone_options options = {.domain = "z",
                                                .record_ttl_s = 10,
                                                .negative_ttl_s = 5,
                                                .host_added = on_added,
                                                .host_removed = on_removed};
    const struct resolver_address address = {AF_INET, {10, 0, 0, 1}};
    struct zone_counts counts;
    bool has_failed = true;
    struct zone *zone;
    (void)state;
    assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
    told.status = STATUS_NO_MEMORY;
    assert_int_equal(zone_put(zone, key, strlen(key), value, strlen(value), 1, 0),
                     STATUS_NO_MEMORY);
    zone_commit(zone, 1);
    zone_counts(zone, &counts);
    assert_int_equal(counts.hosts + counts.services, 0);
    told.status = STATUS_OK;
    for (unsigned n = 0; has_failed; n++) {
        allocation_begin(n);
        enum status status = zone_put(zone, key, strlen(key), value, strlen(value), 2, 0);
        has_failed = allocation_end();
        zone_commit(zone, 2);
        assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
        assert_int_equal(told.added, told.removed + !has_failed);
    }
    allocation_begin(0);
    assert_int_equal(zone_set_host(zone, "www", &address, 1, 60), STATUS_NO_MEMORY);
    assert_true(allocation_end());
    assert_int_equal(zone_set_host(zone, "www", &address, 1, 60), STATUS_OK);
    zone_counts(zone, &counts);
    assert_int_equal(counts.hosts_without_address, 0);
    zone_free(zone);
    rcu_barrier_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_looked_up_or_refused),
        cmocka_unit_test(addresses_that_were_not_taken_are_looked_up_again),
        cmocka_unit_test(a_key_whose_host_is_refused_is_not_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
