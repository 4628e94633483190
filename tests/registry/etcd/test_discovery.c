/* Where members are found, and how often DNS is asked for it. */
#include "registry/etcd/client.h"

#include "support/client_loop.h"
#include "support/fake_dns.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static struct client_loop client;
static struct fake_dns dns;
static unsigned warnings, woken;
static char warning[512];

static void on_log(void *arg, enum log_level level, const char *kind, const char *text)
{
    (void)arg, (void)kind;
    if (level != LOG_LEVEL_WARNING)
        return;
    warnings++;
    snprintf(warning, sizeof(warning), "%s", text);
}

static void on_wake(struct etcd *etcd)
{
    (void)etcd;
    woken++;
}

static struct fake_dns_row rows[] = {
    {"m1.test", FAKE_DNS_A, 60, "127.0.0.1", 0},
    {"_etcd-client._tcp.plain.test", FAKE_DNS_SRV, 30, "m1.test", 2379},
    {"_etcd-client._tcp.plain.test", FAKE_DNS_SRV, 30, "m2.test", 2380},
    {"_etcd-client-ssl._tcp.plain.test", FAKE_DNS_SRV, 30, "secure.test", 1},
    {"_etcd-client-ssl._tcp.tls.test", FAKE_DNS_SRV, 30, "m3.test", 2379},
    {"_etcd-client._tcp.odd.test", FAKE_DNS_SRV, 30, "m_4!.test", 2379},
    {"_etcd-client._tcp.odd.test", FAKE_DNS_SRV, 30, "m5.test", 2379},
    {"_etcd-client-ssl._tcp.dot.test", FAKE_DNS_SRV, 30, ".", 2379},
};

static void open_client(const char *list, const char *domain, bool is_https)
{
    struct etcd_options options = {.discovery_srv = domain, .is_https = is_https};
    struct detail why;
    options.log = (struct log){.write = on_log};
    client_loop_open(&client);
    assert_true(fake_dns_start(&dns, &client.loop, rows, sizeof(rows) / sizeof(rows[0])));
    assert_int_equal(client_loop_connect(&client, list, options), STATUS_OK);
    assert_int_equal(resolver_open(&client.loop, &client.etcd->resolver, &why), STATUS_OK);
    assert_int_equal(resolver_set_servers(client.etcd->resolver, dns.address, &why), STATUS_OK);
    client.etcd->wake = on_wake;
    warnings = woken = 0;
}

static void close_client(void)
{
    fake_dns_stop(&dns);
    assert_int_equal(client_loop_close(&client), 0);
}

static void look_up(struct member *member)
{
    unsigned before = woken;
    assert_int_equal(discovery_addresses(client.etcd, member), DISCOVERY_PENDING);
    assert_true(CLIENT_LOOP_UNTIL(&client, woken > before, 10000));
    assert_false(member->is_looking_up);
}

static void all_who_wait_share_one_look_up(void **state)
{
    (void)state;
    open_client("m1.test:2379", NULL, false);
    struct member *member = &client.etcd->members.list[0];
    assert_int_equal(discovery_addresses(client.etcd, member), DISCOVERY_PENDING);
    assert_int_equal(discovery_addresses(client.etcd, member), DISCOVERY_PENDING);
    assert_true(CLIENT_LOOP_UNTIL(&client, woken, 5000));
    assert_int_equal(dns.asked, 2); /* A and AAAA */
    assert_string_equal(member->addresses, "m1.test:2379:127.0.0.1");
    uint64_t left_ms = member->addresses_until_ms - uv_now(&client.loop);
    assert_in_range(left_ms, 58000, 60000);
    close_client();
}

/* DNS may be away when etcd is well. It is asked again in 5 s, not by each request; and that is
 * said once, until it has been well again. */
static void old_addresses_stay_when_a_look_up_fails(void **state)
{
    (void)state;
    open_client("m1.test:2379", NULL, false);
    struct member *member = &client.etcd->members.list[0];
    look_up(member);
    for (int i = 0; i < 3; i++) {
        dns.fault = i == 1 ? FAKE_DNS_NXDOMAIN : FAKE_DNS_SERVFAIL;
        member->addresses_until_ms = 0;
        look_up(member);
        assert_string_equal(member->addresses, "m1.test:2379:127.0.0.1");
        assert_in_range(member->addresses_until_ms - uv_now(&client.loop), 4500, 5000);
        assert_int_equal(warnings, 1);
    }
    assert_non_null(strstr(warning, "cannot look up m1.test: "));
    assert_non_null(strstr(warning, "stay in use"));
    dns.fault = FAKE_DNS_GOOD;
    look_up(member);
    assert_int_equal(warnings, 1);
    dns.fault = FAKE_DNS_SERVFAIL;
    look_up(member);
    assert_int_equal(warnings, 2);
    close_client();
}

static void without_any_address_the_reason_is_kept(void **state)
{
    (void)state;
    open_client("m1.test:2379", NULL, false);
    struct member *member = &client.etcd->members.list[0];
    dns.fault = FAKE_DNS_NXDOMAIN;
    look_up(member);
    assert_null(member->addresses);
    assert_string_equal(member->reason, "cannot look up m1.test: DNS has no address of it");
    assert_int_equal(warnings, 0);
    close_client();
}

/* Which members a domain has. Without https _etcd-client-ssl is asked for only when the other name
 * has nothing; with https, whoever can forge an answer must not be able to switch TLS off. */
static void a_domain_leads_to_its_members(void **state)
{
    static const struct {
        const char *domain;
        bool is_https;
        size_t count;
        const char *first;
        unsigned asked;
    } cases[] = {
        {"plain.test", false, 2, "http://m1.test:2379", 1},
        {"plain.test", true, 1, "https://secure.test:1", 1},
        {"tls.test", false, 1, "https://m3.test:2379", 2},
        {"tls.test", true, 1, "https://m3.test:2379", 1},
        {"odd.test", false, 1, "http://m5.test:2379", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        open_client(NULL, cases[i].domain, cases[i].is_https);
        struct member_set *members = &client.etcd->members;
        assert_int_equal(discovery_members(client.etcd), DISCOVERY_PENDING);
        assert_int_equal(discovery_members(client.etcd), DISCOVERY_PENDING);
        assert_true(CLIENT_LOOP_UNTIL(&client, woken, 5000));
        assert_int_equal(discovery_members(client.etcd), DISCOVERY_READY);
        assert_int_equal(members->count, cases[i].count);
        bool is_there = false;
        for (size_t k = 0; k < members->count; k++)
            is_there |= strcmp(members->list[k].endpoint.url, cases[i].first) == 0;
        assert_true(is_there);
        assert_int_equal(dns.asked, cases[i].asked);
        assert_int_equal(warnings, strcmp(cases[i].domain, "odd.test") == 0);
        close_client();
    }
}

/* A second later, not at once. */
static void a_domain_without_members_is_asked_again_later(void **state)
{
    (void)state;
    open_client(NULL, "none.test", true);
    struct client_discovery *discovery = &client.etcd->discovery;
    assert_int_equal(discovery_members(client.etcd), DISCOVERY_PENDING);
    assert_true(CLIENT_LOOP_UNTIL(&client, woken, 5000));
    assert_int_equal(discovery->status, STATUS_UNRESOLVED);
    assert_non_null(strstr(discovery->why.text, "discovery in none.test: "));
    assert_int_equal(discovery_members(client.etcd), DISCOVERY_FAILED);
    assert_int_equal(dns.asked, 1);
    discovery->tried_ms = uv_now(&client.loop) - 999;
    assert_int_equal(discovery_members(client.etcd), DISCOVERY_FAILED);
    discovery->tried_ms = uv_now(&client.loop) - 1000;
    assert_int_equal(discovery_members(client.etcd), DISCOVERY_PENDING);
    assert_true(CLIENT_LOOP_UNTIL(&client, woken == 2, 5000));
    assert_int_equal(dns.asked, 2);
    close_client();
}

/* RFC 2782: a target of "." says that there is no such service. */
static void a_domain_of_unusable_records_is_told_as_such(void **state)
{
    (void)state;
    open_client(NULL, "dot.test", true);
    assert_int_equal(discovery_members(client.etcd), DISCOVERY_PENDING);
    assert_true(CLIENT_LOOP_UNTIL(&client, woken, 5000));
    assert_int_equal(discovery_members(client.etcd), DISCOVERY_FAILED);
    assert_int_equal(client.etcd->discovery.status, STATUS_UNRESOLVED);
    assert_string_equal(client.etcd->discovery.why.text,
                        "discovery in dot.test: no SRV record has a target that can be used");
    assert_int_equal(warnings, 1);
    close_client();
}

/* When nobody answers any more there may be new members: every 30 s at most. */
static void members_that_are_new_are_found(void **state)
{
    (void)state;
    open_client(NULL, "plain.test", false);
    struct client_discovery *discovery = &client.etcd->discovery;
    discovery_refresh(client.etcd); /* never asked: as if long ago */
    if (!discovery->is_busy)
        assert_int_equal(discovery_members(client.etcd), DISCOVERY_PENDING);
    assert_true(CLIENT_LOOP_UNTIL(&client, woken, 5000));
    assert_int_equal(client.etcd->members.count, 2);
    rows[2].port = 2381;
    discovery->tried_ms = uv_now(&client.loop) - 29999;
    discovery_refresh(client.etcd);
    assert_false(discovery->is_busy);
    discovery->tried_ms = uv_now(&client.loop) - 30000;
    discovery_refresh(client.etcd);
    discovery_refresh(client.etcd);
    assert_true(CLIENT_LOOP_UNTIL(&client, woken == 2, 5000));
    assert_int_equal(dns.asked, 2);
    assert_int_equal(client.etcd->members.count, 3);
    rows[2].port = 2380;
    close_client();
}

/* The domain has TLS alone; and what is known may have been given. */
static void members_that_are_new_are_found_by_the_second_name(void **state)
{
    (void)state;
    for (unsigned is_given = 0; is_given < 2; is_given++) {
        open_client(is_given ? "127.0.0.1:1" : NULL, "tls.test", false);
        const struct member_set *members = &client.etcd->members;
        if (!is_given) {
            assert_int_equal(discovery_members(client.etcd), DISCOVERY_PENDING);
            assert_true(CLIENT_LOOP_UNTIL(&client, woken, 5000));
        }
        unsigned before = woken;
        assert_int_equal(members->count, 1);
        rows[4].port = 2381;
        client.etcd->discovery.tried_ms = uv_now(&client.loop) - 30000;
        discovery_refresh(client.etcd);
        assert_true(CLIENT_LOOP_UNTIL(&client, woken > before, 5000));
        assert_int_equal(members->count, 2);
        assert_string_equal(members->list[1].endpoint.url, "https://m3.test:2381");
        rows[4].port = 2379;
        close_client();
    }
}

/* It may have all of them, and what the second one adds stays. */
static void a_first_name_without_an_answer_is_no_reason_to_ask_for_the_second(void **state)
{
    static const char second[] = "_etcd-client-ssl";
    (void)state;
    open_client("127.0.0.1:1", "tls.test", false);
    dns.fault = FAKE_DNS_SERVFAIL;
    client.etcd->discovery.tried_ms = uv_now(&client.loop) - 30000;
    discovery_refresh(client.etcd);
    assert_true(CLIENT_LOOP_UNTIL(&client, woken > 0, 10000));
    assert_true(dns.asked > 0);
    assert_null(memmem(dns.in, sizeof(dns.in), second, sizeof(second) - 1));
    close_client();
}

static void without_a_domain_nothing_is_refreshed(void **state)
{
    (void)state;
    open_client("m1.test:2379", NULL, false);
    discovery_refresh(client.etcd);
    client_loop_run_for(&client, 50);
    assert_int_equal(dns.asked, 0);
    assert_int_equal(discovery_members(client.etcd), DISCOVERY_READY);
    close_client();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_who_wait_share_one_look_up),
        cmocka_unit_test(old_addresses_stay_when_a_look_up_fails),
        cmocka_unit_test(without_any_address_the_reason_is_kept),
        cmocka_unit_test(a_domain_leads_to_its_members),
        cmocka_unit_test(a_domain_without_members_is_asked_again_later),
        cmocka_unit_test(a_domain_of_unusable_records_is_told_as_such),
        cmocka_unit_test(members_that_are_new_are_found),
        cmocka_unit_test(members_that_are_new_are_found_by_the_second_name),
        cmocka_unit_test(a_first_name_without_an_answer_is_no_reason_to_ask_for_the_second),
        cmocka_unit_test(without_a_domain_nothing_is_refreshed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
