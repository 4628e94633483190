#include "support/client_loop.h"
#include "support/fake_dns.h"
#include "zones/hosts.h"

#include <dlfcn.h>
#include <limits.h>

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

/* How much faster than the clock time passes for the hosts. */
static unsigned speed = 1;

int uv_timer_start(uv_timer_t *timer, uv_timer_cb on_timer, uint64_t timeout, uint64_t repeat)
{
    static int (*start)(uv_timer_t *, uv_timer_cb, uint64_t, uint64_t);
    if (!start)
        *(void **)&start = dlsym(RTLD_NEXT, "uv_timer_start");
    return start(timer, on_timer, (timeout + speed - 1) / speed, repeat);
}

uint64_t uv_now(const uv_loop_t *loop)
{
    static uint64_t (*now)(const uv_loop_t *);
    if (!now)
        *(void **)&now = dlsym(RTLD_NEXT, "uv_now");
    return now(loop) * speed;
}

static const struct fake_dns_row rows[] = {{"good", FAKE_DNS_A, 60, "10.1.2.3", 0},
                                           {"short", FAKE_DNS_A, 1, "10.1.2.4", 0},
                                           {"long", FAKE_DNS_A, 60000, "10.1.2.5", 0}};

static struct client_loop client;
static struct fake_dns dns;
static struct resolver *resolver;
static struct hosts *hosts;
static unsigned warnings, found, found_empty;
static uint32_t found_ttl_s;

static void on_log(void *arg, enum log_level level, const char *kind, const char *text)
{
    (void)arg, (void)kind, (void)text;
    warnings += level == LOG_LEVEL_WARNING;
}

static enum status on_found(void *arg, const char *name, const struct resolver_address *addresses,
                            size_t count, uint32_t ttl_s)
{
    (void)arg, (void)name, (void)addresses;
    found_ttl_s = ttl_s;
    found += count > 0;
    found_empty += count == 0;
    return STATUS_OK;
}

static int open_all(void **state)
{
    struct detail why;
    const struct log log = {.write = on_log};
    (void)state;
    speed = 1;
    warnings = found = found_empty = 0;
    client_loop_open(&client);
    assert_true(fake_dns_start(&dns, &client.loop, rows, sizeof(rows) / sizeof(rows[0])));
    assert_int_equal(resolver_open(&client.loop, &resolver, &why), STATUS_OK);
    assert_int_equal(resolver_set_servers(resolver, dns.address, &why), STATUS_OK);
    assert_int_equal(hosts_start(&client.loop, resolver, &log, on_found, NULL, &hosts), STATUS_OK);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    resolver_close(resolver);
    hosts_stop(hosts);
    fake_dns_stop(&dns);
    return client_loop_close(&client);
}

static struct hosts_counts counts(void)
{
    struct hosts_counts now;
    hosts_count(hosts, &now);
    return now;
}

static void add(void *arg, const char *name)
{
    assert_int_equal(hosts_add(arg, name), STATUS_OK);
}

static void want(unsigned from, unsigned to, void (*say)(void *, const char *))
{
    char name[32];
    for (unsigned i = from; i < to; i++) {
        snprintf(name, sizeof(name), "nobody-%u", i);
        say(hosts, name);
    }
}

static void many_hosts_are_few_look_ups_a_second(void **state)
{
    (void)state;
    want(0, 2 * HOSTS_MAX, add);
    assert_int_equal(counts().left_out, HOSTS_MAX);
    assert_int_equal(warnings, 1);
    uint64_t began_ms = uv_hrtime() / 1000000;
    client_loop_run_for(&client, 1500);
    CLIENT_LOOP_UNTIL(&client, counts().lookups >= HOSTS_BURST, 20000);
    uint64_t took_ms = uv_hrtime() / 1000000 - began_ms;
    assert_true(counts().lookups <= HOSTS_BURST + HOSTS_PER_S * took_ms / 1000 + 2);
    assert_true(counts().lookups >= HOSTS_BURST);
    /* One that comes now does not wait until all of them have been asked for. */
    want(0, HOSTS_MAX + 1, hosts_remove);
    add(hosts, "good");
    assert_true(CLIENT_LOOP_UNTIL(&client, found, 30000));
    assert_true(counts().lookups < HOSTS_MAX / 2);
}

static void a_place_that_becomes_free_is_taken(void **state)
{
    (void)state;
    want(0, HOSTS_MAX + 3, add);
    assert_int_equal(counts().left_out, 3);
    want(HOSTS_MAX + 2, HOSTS_MAX + 3, hosts_remove);
    assert_int_equal(counts().left_out, 2);
    want(0, 1, hosts_remove);
    assert_int_equal(counts().left_out, 1);
    want(0, HOSTS_MAX + 3, hosts_remove);
    assert_int_equal(counts().left_out, 0);
    client_loop_run_for(&client, 50);
    assert_int_equal(counts().lookups, 0);
}

/* All that have places fail, so those that wait come in, and the good one among them is found. */
static void who_fails_makes_room(void **state)
{
    (void)state;
    speed = 500;
    want(0, HOSTS_MAX, add);
    add(hosts, "good");
    assert_int_equal(counts().left_out, 1);
    assert_true(CLIENT_LOOP_UNTIL(&client, found, 60000));
    assert_int_equal(counts().left_out, 1);
}

/* Whoever comes late among many that do not exist. */
static void who_does_not_exist_makes_room_at_once(void **state)
{
    (void)state;
    speed = 20;
    want(0, HOSTS_MAX + 500, add);
    assert_int_equal(counts().left_out, 500);
    assert_true(CLIENT_LOOP_UNTIL(&client, counts().failures > HOSTS_BURST, 30000));
    add(hosts, "good");
    uint64_t before = counts().lookups;
    assert_int_equal(counts().left_out, 501);
    assert_true(CLIENT_LOOP_UNTIL(&client, found, 30000));
    assert_true(counts().lookups < before + HOSTS_MAX / 4); /* not after all the others */
    assert_int_equal(counts().left_out, 501);
}

static void a_host_that_does_not_exist_is_asked_for_less_and_less(void **state)
{
    (void)state;
    speed = 200;
    add(hosts, "nobody");
    uint64_t began_ms = uv_hrtime() / 1000000;
    assert_true(CLIENT_LOOP_UNTIL(&client, counts().failures == 6, 30000));
    uint64_t took_ms = uv_hrtime() / 1000000 - began_ms;
    /* Pauses of 10, 20, 40, 80, 160 s, each up to an eighth shorter. */
    assert_true(took_ms * speed >= 310000 * 7 / 8);
    assert_true(found_empty > 0);
}

static void a_host_is_looked_up_by_its_ttl_and_after_dns_has_failed(void **state)
{
    (void)state;
    speed = 100;
    add(hosts, "short");
    assert_true(CLIENT_LOOP_UNTIL(&client, found >= 3, 30000));
    dns.fault = FAKE_DNS_SERVFAIL;
    uint64_t failures = counts().failures;
    assert_true(CLIENT_LOOP_UNTIL(&client, counts().failures >= failures + 3, 30000));
    assert_int_equal(found_empty, 0);
    unsigned before = found;
    dns.fault = FAKE_DNS_GOOD;
    assert_true(CLIENT_LOOP_UNTIL(&client, found > before + 1, 30000));
}

static void a_ttl_is_taken_within_5_and_300_s(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t ttl_s;
    } expected[] = {{"short", 5}, {"good", 60}, {"long", 300}};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        found = 0;
        add(hosts, expected[i].name);
        assert_true(CLIENT_LOOP_UNTIL(&client, found, 30000));
        assert_int_equal(found_ttl_s, expected[i].ttl_s);
        hosts_remove(hosts, expected[i].name);
    }
    /* And the next look-up comes by then. */
    speed = 300;
    found = 0;
    add(hosts, "long");
    assert_true(CLIENT_LOOP_UNTIL(&client, found == 2, 10000));
}

static void a_host_that_goes_amid_its_look_up_is_not_found(void **state)
{
    (void)state;
    dns.late_ms = 100;
    add(hosts, "good");
    add(hosts, "short");
    assert_true(CLIENT_LOOP_UNTIL(&client, counts().lookups == 2, 30000));
    hosts_remove(hosts, "good");
    assert_true(CLIENT_LOOP_UNTIL(&client, found, 30000)); /* the other */
    client_loop_run_for(&client, 300);
    assert_int_equal(found, 1);
    assert_int_equal(found_ttl_s, 5);
    dns.late_ms = 0;
    add(hosts, "good"); /* again, from the beginning */
    assert_true(CLIENT_LOOP_UNTIL(&client, found_ttl_s == 60, 30000));
}

/* A resolver that closes takes no more, whoever waits for the place of a look-up that it ends. */
static void nothing_is_looked_up_when_the_resolver_closes(void **state)
{
    (void)state;
    dns.lose_first = 1;
    dns.lose_count = UINT_MAX;
    want(0, 2 * HOSTS_LOOKUPS_MAX, add); /* the newest are asked for first */
    assert_true(CLIENT_LOOP_UNTIL(&client, counts().lookups == HOSTS_LOOKUPS_MAX, 30000));
    want(HOSTS_LOOKUPS_MAX, 2 * HOSTS_LOOKUPS_MAX, hosts_remove);
    resolver_close(resolver);
    resolver = NULL;
    assert_int_equal(counts().lookups, HOSTS_LOOKUPS_MAX);
}

#define WITH_HOSTS(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOSTS(many_hosts_are_few_look_ups_a_second),
        WITH_HOSTS(a_place_that_becomes_free_is_taken),
        WITH_HOSTS(who_fails_makes_room),
        WITH_HOSTS(who_does_not_exist_makes_room_at_once),
        WITH_HOSTS(a_host_that_does_not_exist_is_asked_for_less_and_less),
        WITH_HOSTS(a_host_is_looked_up_by_its_ttl_and_after_dns_has_failed),
        WITH_HOSTS(a_ttl_is_taken_within_5_and_300_s),
        WITH_HOSTS(a_host_that_goes_amid_its_look_up_is_not_found),
        WITH_HOSTS(nothing_is_looked_up_when_the_resolver_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
