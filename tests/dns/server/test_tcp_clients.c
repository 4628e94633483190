#include "dns/server/tcp_clients.h"

#include "support/random.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLOTS    100
#define NETWORKS 30

static struct tcp_share share = {.limit = SLOTS, .workers = 1, .seed = {{1, 2, 3}}};

static union socket_address address_of(unsigned network, unsigned host)
{
    union socket_address address;
    memset(&address, 0, sizeof(address));
    if (network % 2 == 0) {
        address.in.sin_family = AF_INET;
        address.in.sin_addr.s_addr = htonl(10u << 24 | network << 8 | (host & 255));
    } else {
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_addr.s6_addr[0] = 0x20;
        address.in6.sin6_addr.s6_addr[6] = (uint8_t)network;
        address.in6.sin6_addr.s6_addr[15] = (uint8_t)host;
    }
    return address;
}

/* What is said of each network, and of the one that holds most. */
static void check(const struct tcp *tcp, const unsigned counts[NETWORKS])
{
    unsigned most = 0;
    for (unsigned i = 0; i < NETWORKS; i++) {
        union socket_address address = address_of(i, 77);
        assert_int_equal(tcp_clients_count(tcp, &address), counts[i]);
        most = counts[i] > most ? counts[i] : most;
    }
    const struct tcp_client *client = tcp_clients_top(tcp);
    assert_int_equal(client ? client->count : 0, most);
    if (client)
        assert_int_equal(tcp_clients_count(tcp, &TAILQ_FIRST(&client->conns)->address), most);
}

static void counts_as_an_array_does(void **state)
{
    (void)state;
    static struct tcp_conn conns[SLOTS];
    unsigned counts[NETWORKS] = {0};
    bool is_open[SLOTS] = {false};
    unsigned networks[SLOTS];
    struct random random = random_begin(8);
    struct tcp *tcp = calloc(1, sizeof(*tcp));
    assert_non_null(tcp);
    tcp->share = &share;
    assert_int_equal(tcp_clients_init(tcp), STATUS_OK);
    check(tcp, counts);
    for (unsigned round = 0; round < 20000; round++) {
        size_t i = random_draw(&random, SLOTS);
        if (is_open[i]) {
            tcp_clients_leave(tcp, &conns[i]);
            counts[networks[i]]--;
        } else {
            /* Now one, now many. */
            networks[i] = (unsigned)random_draw(&random, 1 + round / 50 % NETWORKS);
            conns[i].address = address_of(networks[i], (unsigned)round);
            assert_true(tcp_clients_join(tcp, &conns[i]));
            counts[networks[i]]++;
        }
        is_open[i] = !is_open[i];
        check(tcp, counts);
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (is_open[i])
            tcp_clients_leave(tcp, &conns[i]);
    assert_null(tcp_clients_top(tcp));
    tcp_clients_clear(tcp);
    free(tcp);
}

/* Else each newcomer would take the place of the one before, who has not even asked yet. */
static void a_newcomer_stands_behind_those_who_hold_as_many(void **state)
{
    (void)state;
    static struct tcp_conn conns[NETWORKS];
    struct tcp *tcp = calloc(1, sizeof(*tcp));
    assert_non_null(tcp);
    tcp->share = &share;
    assert_int_equal(tcp_clients_init(tcp), STATUS_OK);
    for (unsigned i = 0; i < NETWORKS; i++) {
        conns[i].address = address_of(i, i);
        assert_true(tcp_clients_join(tcp, &conns[i]));
        assert_ptr_equal(TAILQ_FIRST(&tcp_clients_top(tcp)->conns), &conns[0]);
    }
    for (unsigned i = 0; i < NETWORKS; i++) {
        assert_ptr_equal(TAILQ_FIRST(&tcp_clients_top(tcp)->conns), &conns[i]);
        tcp_clients_leave(tcp, &conns[i]);
    }
    tcp_clients_clear(tcp);
    free(tcp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_as_an_array_does),
        cmocka_unit_test(a_newcomer_stands_behind_those_who_hold_as_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
