/* A look-up whose n-th allocation fails, for all n: it ends once, and never says that there is no such name. */
#include "registry/net/resolver.h"
#include "support/allocation.h"
#include "support/client_loop.h"
#include "support/fake_dns.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static const struct fake_dns_row rows[] = {
    {"host.test", FAKE_DNS_A, 60, "10.1.2.3", 0},
    {"_etcd-client._tcp.test", FAKE_DNS_SRV, 30, "m1.test", 2379},
};

static struct client_loop client;
static struct fake_dns dns;
static struct resolver *resolver;

static struct outcome {
    unsigned done;
    enum status status;
    size_t count;
} outcome;

static void note(enum status status, size_t count)
{
    outcome = (struct outcome){outcome.done + 1, status, count};
}

static void on_host(void *arg, enum status status, const struct resolver_address *addresses,
                    size_t count, uint32_t ttl_s, const struct detail *why)
{
    (void)arg, (void)addresses, (void)ttl_s, (void)why;
    note(status, count);
}

static void on_srv(void *arg, enum status status, const struct resolver_srv *records, size_t count,
                   const struct detail *why)
{
    (void)arg, (void)records, (void)why;
    note(status, count);
}

static void look_up(bool is_srv)
{
    outcome = (struct outcome){0};
    if (is_srv)
        resolver_srv(resolver, "_etcd-client._tcp.test", on_srv, NULL);
    else
        resolver_host(resolver, "host.test.", on_host, NULL);
    assert_true(CLIENT_LOOP_UNTIL(&client, outcome.done, 20000));
    assert_int_equal(outcome.done, 1);
}

static void open_dns(void)
{
    client_loop_open(&client);
    assert_true(fake_dns_start(&dns, &client.loop, rows, sizeof(rows) / sizeof(rows[0])));
}

static void close_dns(void)
{
    resolver_close(resolver);
    resolver = NULL;
    fake_dns_stop(&dns);
    assert_int_equal(client_loop_close(&client), 0);
}

static void a_resolver_is_opened_or_not(void **state)
{
    bool has_failed = true;
    unsigned n = 0;
    struct detail why;
    (void)state;
    for (; has_failed; n++) {
        open_dns();
        allocation_begin(n);
        enum status status = resolver_open(&client.loop, &resolver, &why);
        if (status == STATUS_OK)
            status = resolver_set_servers(resolver, dns.address, &why);
        has_failed = allocation_end();
        assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
        close_dns();
    }
    assert_int_equal(n, 5);
}

static void a_look_up_without_memory_denies_nothing(void **state)
{
    struct detail why;
    (void)state;
    for (int is_srv = 0; is_srv < 2; is_srv++) {
        bool has_failed = true;
        unsigned n = 0;
        for (; has_failed; n++) {
            open_dns();
            assert_int_equal(resolver_open(&client.loop, &resolver, &why), STATUS_OK);
            assert_int_equal(resolver_set_servers(resolver, dns.address, &why), STATUS_OK);
            allocation_begin(n);
            look_up(is_srv);
            has_failed = allocation_end();
            assert_true(outcome.status == STATUS_OK ||
                        (has_failed && outcome.status == STATUS_NO_MEMORY));
            assert_int_equal(outcome.count, outcome.status == STATUS_OK);
            look_up(is_srv);
            assert_int_equal(outcome.status, STATUS_OK);
            close_dns();
        }
        assert_true(n > 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resolver_is_opened_or_not),
        cmocka_unit_test(a_look_up_without_memory_denies_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
