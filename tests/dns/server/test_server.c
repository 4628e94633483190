#include "dns/server/server.h"

#include "dns/server/rate_limit.h"
#include "support/bound.h"
#include "support/client.h"
#include "support/fake_answer.h"
#include "zones/store/rcu.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENTS 3
#define QUERIES 300

/* In place of dns/server/rate_limit.c, which exempts loopback. */
static struct {
    uint32_t rate;
    unsigned asked; /* atomic */
    bool denies;
} limiter;

void rate_limit_init(struct rate_limit *limit, uint32_t rate, const struct name_seed *seed)
{
    (void)limit, (void)seed;
    limiter.rate = rate;
}

bool rate_limit_allows(struct rate_limit *limit, const struct sockaddr *client, uint64_t now_us)
{
    (void)limit, (void)client, (void)now_us;
    __atomic_fetch_add(&limiter.asked, 1, __ATOMIC_RELAXED);
    return !limiter.denies;
}

static struct answer_env env_of(const char *text)
{
    struct answer_env env = {.nsid_len = (uint16_t)strlen(text)};
    memcpy(env.nsid, text, env.nsid_len);
    return env;
}

static struct server_options options_for(const struct server_listen *listen, size_t count)
{
    return (struct server_options){.listen = listen,
                                   .listen_count = count,
                                   .workers = 2,
                                   .tcp_connections = 64,
                                   .tcp_idle_s = 10,
                                   .rate_limit = 200};
}

static struct server *open_server(const struct server_listen *listen, size_t count)
{
    struct server_options options = options_for(listen, count);
    struct server *server = NULL;
    struct detail why = {""};
    if (server_open(&options, &server, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    return server;
}

static void start(struct server *server)
{
    struct answer_env env = env_of("v1");
    assert_int_equal(server_start(server, &env, NULL), STATUS_OK);
}

struct client_run {
    pthread_t thread;
    struct sockaddr_storage address;
    int type; /* SOCK_DGRAM, SOCK_STREAM */
    unsigned answered;
};

static bool exchange(const struct client_run *run, int fd, uint16_t id)
{
    uint8_t bytes[128], reply[65535];
    if (run->type == SOCK_STREAM) {
        size_t len = client_message(bytes, id, "a", CLIENT_TYPE_A);
        return send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len &&
               client_read_message(fd, reply) == 26 && client_id(reply) == id;
    }
    size_t len = client_query(bytes, id, "a", CLIENT_TYPE_A);
    return send(fd, bytes, len, 0) == (ssize_t)len && recv(fd, reply, sizeof(reply), 0) == 26 &&
           client_id(reply) == id;
}

static void *run_client(void *arg)
{
    struct client_run *run = arg;
    int fd = -1;
    for (uint16_t i = 0; i < QUERIES; i++) {
        /* A new socket now and then, so that every worker gets some. */
        if (i % 10 == 0) {
            if (fd >= 0)
                close(fd);
            fd = client_connect(&run->address, run->type);
        }
        run->answered += exchange(run, fd, i);
    }
    close(fd);
    return NULL;
}

static void workers_answer_while_the_environment_changes(void **state)
{
    (void)state;
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    struct server *server = open_server(&listen, 1);
    struct client_run runs[2 * CLIENTS] = {{.answered = 0}};
    start(server);
    for (int i = 0; i < 2 * CLIENTS; i++) {
        runs[i].type = i % 2 ? SOCK_STREAM : SOCK_DGRAM;
        assert_true(bound_address(server, 0, &runs[i].address));
        assert_int_equal(pthread_create(&runs[i].thread, NULL, run_client, &runs[i]), 0);
    }
    for (int i = 0; i < 200; i++) {
        struct answer_env env = env_of(i % 2 ? "v2" : "v3");
        struct counters counters;
        assert_int_equal(server_set_env(server, &env), STATUS_OK);
        server_counters(server, &counters);
        usleep(500);
    }
    for (int i = 0; i < 2 * CLIENTS; i++) {
        assert_int_equal(pthread_join(runs[i].thread, NULL), 0);
        assert_int_equal(runs[i].answered, QUERIES);
    }
    struct counters counters;
    server_counters(server, &counters);
    assert_int_equal(counters.rcodes[QUERY_UDP][0], CLIENTS * QUERIES);
    assert_int_equal(counters.rcodes[QUERY_TCP][0], CLIENTS * QUERIES);
    assert_int_equal(counters.tcp_accepted, CLIENTS * QUERIES / 10);
    server_stop(server);
    rcu_barrier_all();
}

static void the_latest_environment_is_the_one_answered_by(void **state)
{
    (void)state;
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    struct server *server = open_server(&listen, 1);
    struct sockaddr_storage address;
    uint8_t bytes[512];
    start(server);
    assert_true(bound_address(server, 0, &address));
    int fd = client_connect(&address, SOCK_DGRAM);
    static const char *const texts[] = {"x", "yyyy", "zz"};
    for (int i = 0; i < 30; i++) {
        struct answer_env env = env_of(texts[i % 3]);
        assert_int_equal(server_set_env(server, &env), STATUS_OK);
        client_send(fd, bytes, client_query(bytes, 1, "a", CLIENT_TYPE_A));
        assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 24 + env.nsid_len);
        assert_memory_equal(bytes + 24, texts[i % 3], env.nsid_len);
    }
    close(fd);
    server_stop(server);
    rcu_barrier_all();
}

/* What the zone has retired may be published until its change is whole. What is freed is written
 * to: by the allocator, or by those who look for such mistakes. */
static void a_new_environment_frees_nothing_of_the_zone(void **state)
{
    (void)state;
    enum { OCTETS = 128, ROUNDS = 3 };
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    struct server *server = open_server(&listen, 1);
    volatile uint8_t *retired = malloc(OCTETS);
    assert_non_null(retired);
    for (int i = 0; i < OCTETS; i++)
        retired[i] = 0xaa;
    start(server);
    rcu_retire((void *)(uintptr_t)retired);
    for (int i = 0; i < ROUNDS; i++) {
        struct answer_env env = env_of("x");
        assert_int_equal(server_set_env(server, &env), STATUS_OK);
        usleep(100000); /* a grace period, and what frees behind it */
    }
    for (int i = 0; i < OCTETS; i++)
        assert_int_equal(retired[i], 0xaa);
    server_stop(server);
    rcu_barrier_all();
}

static void a_second_server_on_the_same_address_is_told_so(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "0.0.0.0"};
    (void)state;
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    struct server *server = open_server(&listen, 1), *second = NULL;
    struct sockaddr_storage address;
    assert_true(bound_address(server, 0, &address));
    for (int i = 0; i < 2; i++) {
        struct server_listen same = {.address = client_address(hosts[i], client_port(&address)),
                                     .may_be_missing = true};
        struct server_options options = options_for(&same, 1);
        struct detail why;
        char expected[80];
        assert_int_equal(server_open(&options, &second, &why), STATUS_SYSTEM);
        snprintf(expected, sizeof(expected), "%s:%u: address already in use", hosts[i],
                 client_port(&address));
        assert_string_equal(why.text, expected);
        assert_null(second);
    }
    server_stop(server);
    /* Not started, it leaves nothing behind. */
    struct server_listen again = {.address = address};
    server_stop(open_server(&again, 1));
}

static void one_protocol_held_by_another_is_enough_to_fail(void **state)
{
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct sockaddr_storage address = client_address("127.0.0.1", 0);
        socklen_t len = sizeof(struct sockaddr_in);
        int one = 1, fd = socket(AF_INET, types[i], 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
        if (types[i] == SOCK_STREAM)
            assert_int_equal(listen(fd, 1), 0);
        struct server_listen same = {.address = address};
        struct server_options options = options_for(&same, 1);
        struct server *server = NULL;
        struct detail why;
        assert_int_equal(server_open(&options, &server, &why), STATUS_SYSTEM);
        assert_non_null(strstr(why.text, "address already in use"));
        close(fd);
    }
}

static void a_server_starts_again_though_connections_linger(void **state)
{
    (void)state;
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    struct server *server = open_server(&listen, 1);
    start(server);
    assert_true(bound_address(server, 0, &listen.address));
    struct client_run run = {.address = listen.address, .type = SOCK_STREAM};
    int fd = client_connect(&listen.address, SOCK_STREAM);
    assert_true(exchange(&run, fd, 1));
    server_stop(server); /* closes first: TIME_WAIT is the server's */
    assert_true(client_is_closed(fd));
    close(fd);
    server_stop(open_server(&listen, 1));
    rcu_barrier_all();
}

static void what_the_machine_lacks_is_skipped_if_it_may_be(void **state)
{
    (void)state;
    struct server_listen listen[2] = {
        {.address = client_address("192.0.2.1", 5300), .may_be_missing = true},
        {.address = client_address("127.0.0.1", 0)},
    };
    struct server *server = open_server(listen, 2);
    struct sockaddr_storage address;
    char text[64];
    assert_true(bound_address(server, 0, &address));
    assert_false(bound_address(server, 1, &address));
    server_addresses(server, text, sizeof(text));
    assert_int_equal(strncmp(text, "127.0.0.1:", 10), 0);
    server_stop(server);

    struct detail why;
    for (int i = 0; i < 2; i++) {
        struct server_options options = options_for(listen, 1);
        assert_int_equal(server_open(&options, &server, &why), STATUS_SYSTEM);
        assert_string_equal(why.text, "192.0.2.1:5300: address not available");
        listen[0].may_be_missing = false;
    }
}

static void both_families_and_a_repeated_address_are_served_at_one_port(void **state)
{
    (void)state;
    struct server_listen listen[4] = {{.address = client_address("127.0.0.1", 0)}};
    struct server *server = open_server(listen, 1);
    struct sockaddr_storage address;
    char text[128], expected[128];
    assert_true(bound_address(server, 0, &address));
    server_stop(server);
    uint16_t port = client_port(&address);
    listen[0].address = client_address("0.0.0.0", port);
    listen[1].address = client_address("::", port);
    listen[2].address = client_address("127.0.0.1", port);
    listen[3].address = client_address("::", port);
    server = open_server(listen, 4);
    start(server);
    server_addresses(server, text, sizeof(text));
    snprintf(expected, sizeof(expected), "0.0.0.0:%u, [::]:%u, 127.0.0.1:%u", port, port, port);
    assert_string_equal(text, expected);
    server_addresses(server, text, 12);
    expected[11] = '\0';
    assert_string_equal(text, expected);
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.3", "::1"};
    for (int i = 0; i < 3; i++) {
        struct client_run run = {.address = client_address(hosts[i], port)};
        for (int j = 0; j < 2; j++) {
            run.type = j ? SOCK_STREAM : SOCK_DGRAM;
            int fd = client_connect(&run.address, run.type);
            assert_true(exchange(&run, fd, 1));
            close(fd);
        }
    }
    server_stop(server);
    rcu_barrier_all();
}

/* A port that is free for IPv6 may be somebody's for IPv4: each try has another. */
static void an_ipv6_wildcard_leaves_ipv4_to_others(void **state)
{
    (void)state;
    struct server *other = NULL;
    struct detail why = {""};
    for (int tries = 0; tries < 20 && !other; tries++) {
        struct server_listen listen = {.address = client_address("::", 0)};
        struct server *server = open_server(&listen, 1);
        assert_true(bound_address(server, 0, &listen.address));
        listen.address = client_address("0.0.0.0", client_port(&listen.address));
        struct server_options options = options_for(&listen, 1);
        (void)!server_open(&options, &other, &why);
        server_stop(server);
    }
    if (!other)
        fail_msg("%s", why.text);
    server_stop(other);
}

static void stopping_answers_what_was_received(void **state)
{
    static uint8_t bytes[1 << 16], reply[65535];
    (void)state;
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    struct sockaddr_storage address;
    for (int round = 0; round < 10; round++) {
        struct server *server = open_server(&listen, 1);
        start(server);
        assert_true(bound_address(server, 0, &address));
        int udp = client_connect(&address, SOCK_DGRAM), tcp = client_connect(&address, SOCK_STREAM);
        size_t len = 0;
        for (uint16_t i = 0; i < 1000; i++)
            len += client_message(bytes + len, i, "a", CLIENT_TYPE_A);
        client_send(udp, bytes + 2, len / 1000 - 2);
        client_send(tcp, bytes, len);
        server_stop(server);
        assert_int_equal(recv(udp, reply, sizeof(reply), 0), 26);
        for (uint16_t i = 0; i < 1000; i++) {
            assert_int_equal(client_read_message(tcp, reply), 26);
            assert_int_equal(client_id(reply), i);
        }
        assert_true(client_is_closed(tcp));
        close(udp);
        close(tcp);
    }
    rcu_barrier_all();
}

static void stopping_does_not_wait_for_a_client_that_takes_nothing(void **state)
{
    static uint8_t bytes[1 << 16];
    (void)state;
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    struct server *server = open_server(&listen, 1);
    struct sockaddr_storage address;
    struct timeval before, after;
    start(server);
    assert_true(bound_address(server, 0, &address));
    int tcp = client_connect(&address, SOCK_STREAM);
    size_t len = 0;
    for (uint16_t i = 0; i < 1000; i++)
        len += client_message(bytes + len, i, "a", 60000);
    client_send(tcp, bytes, len);
    usleep(50000);
    gettimeofday(&before, NULL);
    server_stop(server);
    gettimeofday(&after, NULL);
    assert_in_range(after.tv_sec - before.tv_sec, 0, 2);
    close(tcp);
    rcu_barrier_all();
}

/* Datagrams alone, and only if there is a limit. */
static void datagrams_are_limited_if_they_are_to_be(void **state)
{
    static const uint32_t rates[] = {200, 0};
    (void)state;
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct server_options options = options_for(&listen, 1);
        struct server *server;
        struct client_run run = {.type = SOCK_DGRAM};
        memset(&limiter, 0, sizeof(limiter));
        options.rate_limit = rates[i];
        assert_int_equal(server_open(&options, &server, NULL), STATUS_OK);
        assert_int_equal(limiter.rate, rates[i]);
        start(server);
        assert_true(bound_address(server, 0, &run.address));
        int fd = client_connect(&run.address, SOCK_DGRAM);
        assert_true(exchange(&run, fd, 1));
        assert_int_equal(limiter.asked, rates[i] ? 1 : 0);
        limiter.denies = true;
        client_patience(fd, 100);
        assert_int_equal(exchange(&run, fd, 2), rates[i] == 0);
        close(fd);
        run.type = SOCK_STREAM;
        fd = client_connect(&run.address, SOCK_STREAM);
        assert_true(exchange(&run, fd, 3));
        close(fd);
        server_stop(server);
        rcu_barrier_all();
    }
    limiter.denies = false;
}

static void options_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    struct server_options rows[6];
    struct server *server = NULL;
    struct detail why;
    for (size_t i = 0; i < 6; i++)
        rows[i] = options_for(&listen, 1);
    rows[0].listen_count = 0;
    rows[1].listen_count = SERVER_LISTEN_MAX + 1;
    rows[2].workers = 100000;
    rows[3].tcp_connections = 0;
    rows[4].tcp_idle_s = 0;
    rows[5].tcp_idle_s = UINT32_MAX;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(server_open(&rows[i], &server, &why), STATUS_BAD_INPUT);
    listen.address.ss_family = AF_UNIX;
    struct server_options options = options_for(&listen, 1);
    assert_int_equal(server_open(&options, &server, &why), STATUS_BAD_INPUT);
    assert_null(server);
    server_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_answer_while_the_environment_changes),
        cmocka_unit_test(the_latest_environment_is_the_one_answered_by),
        cmocka_unit_test(a_new_environment_frees_nothing_of_the_zone),
        cmocka_unit_test(a_second_server_on_the_same_address_is_told_so),
        cmocka_unit_test(one_protocol_held_by_another_is_enough_to_fail),
        cmocka_unit_test(a_server_starts_again_though_connections_linger),
        cmocka_unit_test(what_the_machine_lacks_is_skipped_if_it_may_be),
        cmocka_unit_test(both_families_and_a_repeated_address_are_served_at_one_port),
        cmocka_unit_test(an_ipv6_wildcard_leaves_ipv4_to_others),
        cmocka_unit_test(stopping_answers_what_was_received),
        cmocka_unit_test(stopping_does_not_wait_for_a_client_that_takes_nothing),
        cmocka_unit_test(datagrams_are_limited_if_they_are_to_be),
        cmocka_unit_test(options_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
