#include "registry/net/resolver.h"
#include "support/client_loop.h"
#include "support/fake_dns.h"

#include <limits.h>

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static const struct fake_dns_row rows[] = {
    {"both.test", FAKE_DNS_A, 60, "10.1.2.3", 0},
    {"both.test", FAKE_DNS_A, 20, "10.1.2.4", 0},
    {"both.test", FAKE_DNS_AAAA, 90, "fd00::1", 0},
    {"four.test", FAKE_DNS_A, 30, "10.1.2.5", 0},
    {"other.test", FAKE_DNS_SRV, 30, "x.test", 1},
    {"mute.test", 0, 0, NULL, 0},
    {"_etcd-client._tcp.test", FAKE_DNS_SRV, 30, "m1.test", 2379},
    {"_etcd-client._tcp.test", FAKE_DNS_SRV, 30, "m2.test", 2380},
};

static struct client_loop client;
static struct fake_dns dns;
static struct resolver *resolver;

struct outcome {
    unsigned done;
    enum status status;
    size_t count;
    uint32_t ttl_s;
    struct resolver_address addresses[8];
    struct resolver_srv records[8];
    char why[512];
};

static void on_host(void *arg, enum status status, const struct resolver_address *addresses,
                    size_t count, uint32_t ttl_s, const struct detail *why)
{
    struct outcome *outcome = arg;
    outcome->done++;
    outcome->status = status;
    outcome->count = count;
    outcome->ttl_s = ttl_s;
    if (count)
        memcpy(outcome->addresses, addresses, (count < 8 ? count : 8) * sizeof(*addresses));
    snprintf(outcome->why, sizeof(outcome->why), "%s", why->text);
}

static void on_srv(void *arg, enum status status, const struct resolver_srv *records, size_t count,
                   const struct detail *why)
{
    struct outcome *outcome = arg;
    outcome->done++;
    outcome->status = status;
    outcome->count = count;
    if (count)
        memcpy(outcome->records, records, (count < 8 ? count : 8) * sizeof(*records));
    snprintf(outcome->why, sizeof(outcome->why), "%s", why->text);
}

static int open_all(void **state)
{
    struct detail why;
    (void)state;
    client_loop_open(&client);
    assert_true(fake_dns_start(&dns, &client.loop, rows, sizeof(rows) / sizeof(rows[0])));
    assert_int_equal(resolver_open(&client.loop, &resolver, &why), STATUS_OK);
    assert_int_equal(resolver_set_servers(resolver, dns.address, &why), STATUS_OK);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    resolver_close(resolver);
    resolver = NULL;
    fake_dns_stop(&dns);
    return client_loop_close(&client);
}

static struct outcome look_up(const char *name, bool is_srv)
{
    struct outcome outcome = {0};
    if (is_srv)
        resolver_srv(resolver, name, on_srv, &outcome);
    else
        resolver_host(resolver, name, on_host, &outcome);
    assert_int_equal(outcome.done, 0);
    CLIENT_LOOP_UNTIL(&client, outcome.done, 10000);
    assert_int_equal(outcome.done, 1);
    return outcome;
}

static void a_host_has_addresses_of_both_families(void **state)
{
    (void)state;
    struct outcome both = look_up("both.test.", false);
    assert_int_equal(both.status, STATUS_OK);
    assert_int_equal(both.count, 3);
    assert_int_equal(both.ttl_s, 20);
    unsigned v6 = 0;
    for (size_t i = 0; i < both.count; i++)
        v6 += both.addresses[i].family == AF_INET6 && both.addresses[i].octets[15] == 1;
    assert_int_equal(v6, 1);
    struct outcome four = look_up("four.test.", false);
    assert_int_equal(four.status, STATUS_OK);
    assert_int_equal(four.count, 1);
    assert_int_equal(four.addresses[0].family, AF_INET);
    assert_memory_equal(four.addresses[0].octets, "\x0a\x01\x02\x05", 4);
}

static void the_hosts_file_counts(void **state)
{
    (void)state;
    struct outcome local = look_up("localhost", false);
    assert_int_equal(local.status, STATUS_OK);
    assert_true(local.count >= 1);
    assert_int_equal(local.ttl_s, 0);
    assert_int_equal(dns.asked, 0);
}

static void what_does_not_exist_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(look_up("none.test.", false).status, STATUS_NOT_FOUND);
    struct outcome other = look_up("other.test.", false);
    assert_int_equal(other.status, STATUS_NOT_FOUND);
    assert_non_null(strstr(other.why, "other.test"));
    assert_int_equal(look_up("none.test.", true).status, STATUS_NOT_FOUND);
    assert_int_equal(look_up("both.test.", true).status, STATUS_NOT_FOUND);
}

static void service_records_are_read(void **state)
{
    (void)state;
    struct outcome srv = look_up("_etcd-client._tcp.test", true);
    assert_int_equal(srv.status, STATUS_OK);
    assert_int_equal(srv.count, 2);
    assert_true(strcmp(srv.records[0].target, "m1.test") == 0 ||
                strcmp(srv.records[1].target, "m1.test") == 0);
    assert_int_equal(srv.records[0].port + srv.records[1].port, 2379 + 2380);
    assert_int_equal(srv.records[0].priority, 10);
    assert_int_equal(srv.records[0].weight, 5);
}

static void closing_cancels_a_look_up(void **state)
{
    (void)state;
    struct outcome host = {0}, srv = {0}, local = {0};
    resolver_host(resolver, "mute.test.", on_host, &host);
    resolver_srv(resolver, "mute.test.", on_srv, &srv);
    resolver_host(resolver, "localhost", on_host, &local);
    CLIENT_LOOP_UNTIL(&client, dns.asked, 1000);
    resolver_close(resolver);
    resolver = NULL;
    assert_true(host.done == 1 && host.status == STATUS_CANCELLED);
    assert_true(srv.done == 1 && srv.status == STATUS_CANCELLED);
    assert_int_equal(local.done, 1);
}

static void a_bad_server_is_refused(void **state)
{
    struct detail why = {""};
    (void)state;
    assert_int_equal(resolver_set_servers(resolver, "nonsense", &why), STATUS_BAD_INPUT);
    assert_non_null(strstr(why.text, "nonsense"));
}

/* What befalls the packets of one look-up. All rows run at the same time. */
static const struct {
    unsigned lose_first, lose_count, late_ms;
    enum fake_dns_fault fault;
    unsigned fault_count;
    bool is_second; /* another server, which is silent, comes first */
    enum status status;
    const char *text;
} faults[] = {
    {.lose_first = 1, .lose_count = 1},
    {.lose_first = 2, .lose_count = 1},
    {.lose_first = 3, .lose_count = 1},
    {.lose_first = 4, .lose_count = 1},
    {.lose_first = 1, .lose_count = 2},
    {.lose_first = 1, .lose_count = 3},
    {.lose_first = 1, .lose_count = 4},
    {.lose_first = 2, .lose_count = 3},
    {.late_ms = 1300},
    {.late_ms = 2500},
    {.is_second = true},
    {.is_second = true, .lose_first = 1, .lose_count = 1},
    {.is_second = true, .late_ms = 1300},
    {.fault = FAKE_DNS_GARBAGE, .fault_count = 2},
    {.fault = FAKE_DNS_WRONG_ID, .fault_count = 2},
    {.fault = FAKE_DNS_TRUNCATED, .status = STATUS_UNREACHABLE},
    {.fault = FAKE_DNS_CORRUPT, .status = STATUS_UNREACHABLE},
    {.fault = FAKE_DNS_SERVFAIL, .status = STATUS_UNREACHABLE},
    {.fault = FAKE_DNS_REFUSED, .status = STATUS_UNREACHABLE},
    {.fault = FAKE_DNS_NXDOMAIN, .status = STATUS_NOT_FOUND},
    {.lose_first = 1, .lose_count = UINT_MAX, .status = STATUS_TIMED_OUT},
};
#define TRIALS                                                                                     \
    (2 * sizeof(faults) /                                                                          \
     sizeof(faults[0])) /* each with a host and with SRV records              \
                                              */

struct trial {
    size_t row;
    bool is_srv;
    struct fake_dns dns;
    struct resolver *resolver;
    struct outcome outcome;
};

static void open_trial(struct trial *trial, const char *silent)
{
    struct detail why;
    char servers[80];
    size_t row = trial->row;
    assert_true(fake_dns_start(&trial->dns, &client.loop, rows, sizeof(rows) / sizeof(rows[0])));
    trial->dns.lose_first = faults[row].lose_first;
    trial->dns.lose_count = faults[row].lose_count;
    if (trial->is_srv && faults[row].lose_count == 4)
        trial->dns.lose_count = 3; /* that is 3 tries; of a host's two questions, 2 tries */
    trial->dns.late_ms = faults[row].late_ms;
    trial->dns.fault = faults[row].fault;
    trial->dns.fault_count = faults[row].fault_count;
    snprintf(servers, sizeof(servers), "%s%s%s", faults[row].is_second ? silent : "",
             faults[row].is_second ? "," : "", trial->dns.address);
    assert_int_equal(resolver_open(&client.loop, &trial->resolver, &why), STATUS_OK);
    assert_int_equal(resolver_set_servers(trial->resolver, servers, &why), STATUS_OK);
}

static void ask(struct trial *trial)
{
    trial->outcome = (struct outcome){0};
    if (trial->is_srv)
        resolver_srv(trial->resolver, "_etcd-client._tcp.test", on_srv, &trial->outcome);
    else
        resolver_host(trial->resolver, "both.test.", on_host, &trial->outcome);
}

static size_t done_count(const struct trial *trials)
{
    size_t count = 0;
    for (size_t i = 0; i < TRIALS; i++)
        count += trials[i].outcome.done;
    return count;
}

static bool is_as_expected(const struct trial *trial, enum status status)
{
    const struct outcome *outcome = &trial->outcome;
    if (outcome->done != 1 || outcome->status != status)
        return false;
    if (status == STATUS_OK)
        return outcome->count == (trial->is_srv ? 2 : 3);
    return strstr(outcome->why, trial->is_srv ? "_etcd-client._tcp.test" : "both.test") &&
           strstr(outcome->why, "cannot look up") && strstr(outcome->why, "DNS");
}

/* How many do not end as they must. */
static size_t look_up_all(struct trial *trials, bool is_again)
{
    size_t wrong = 0;
    for (size_t i = 0; i < TRIALS; i++)
        ask(&trials[i]);
    CLIENT_LOOP_UNTIL(&client, done_count(trials) == TRIALS, 40000);
    for (size_t i = 0; i < TRIALS; i++) {
        const struct outcome *outcome = &trials[i].outcome;
        if (is_as_expected(&trials[i], is_again ? STATUS_OK : faults[trials[i].row].status))
            continue;
        print_error("row %zu%s%s: done %u, status %d, %zu records: %s\n", trials[i].row,
                    trials[i].is_srv ? ", SRV" : "", is_again ? ", again" : "", outcome->done,
                    (int)outcome->status, outcome->count, outcome->why);
        wrong++;
    }
    return wrong;
}

/* A look-up ends, well if one answer comes through in time, and the next is as good as the first.
 */
static void whatever_befalls_its_packets_a_name_is_looked_up(void **state)
{
    static struct trial trials[TRIALS];
    static struct fake_dns silent; /* closed later than this returns */
    (void)state;
    assert_true(fake_dns_start(&silent, &client.loop, NULL, 0));
    silent.lose_count = UINT_MAX;
    for (size_t i = 0; i < TRIALS; i++) {
        trials[i].row = i / 2;
        trials[i].is_srv = i % 2;
        open_trial(&trials[i], silent.address);
    }
    size_t wrong = look_up_all(trials, false);
    for (size_t i = 0; i < TRIALS; i++) {
        trials[i].dns.lose_count = trials[i].dns.late_ms = 0;
        trials[i].dns.fault = FAKE_DNS_GOOD;
    }
    wrong += look_up_all(trials, true);
    for (size_t i = 0; i < TRIALS; i++) {
        resolver_close(trials[i].resolver);
        fake_dns_stop(&trials[i].dns);
    }
    fake_dns_stop(&silent);
    assert_int_equal(wrong, 0);
}

#define WITH_DNS(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DNS(a_host_has_addresses_of_both_families),
        WITH_DNS(the_hosts_file_counts),
        WITH_DNS(what_does_not_exist_is_not_found),
        WITH_DNS(service_records_are_read),
        WITH_DNS(closing_cancels_a_look_up),
        WITH_DNS(a_bad_server_is_refused),
        WITH_DNS(whatever_befalls_its_packets_a_name_is_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
