/* A server whose n-th allocation fails, for all n: it does not start, or loses the one connection; it answers again as soon
 * as there is memory. */
#include "dns/server/server.h"

#include "support/allocation.h"
#include "support/bound.h"
#include "support/client.h"
#include "zones/store/rcu.h"
#include "zones/zone.h"

static const struct zone_options zone_options = {
    .domain = "test", .record_ttl_s = 10, .negative_ttl_s = 5, .has_switches = true};
static const struct answer_env env = {.state = ANSWER_FRESH, .max_udp_size = 1232};
static struct zone *zone;
static struct server *server;
static struct sockaddr_storage address;

static int set_up(void **state)
{
    (void)state;
    return zone_new(&zone_options, &zone, NULL) != STATUS_OK;
}

static int tear_down(void **state)
{
    (void)state;
    zone_free(zone);
    rcu_barrier_all();
    return 0;
}

static enum status start(struct detail *why)
{
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    struct server_options options = {.listen = &listen,
                                     .listen_count = 1,
                                     .workers = 2,
                                     .zone = zone,
                                     .tcp_connections = 8,
                                     .tcp_idle_s = 10,
                                     .rate_limit = 200};
    enum status status = server_open(&options, &server, why);
    return status == STATUS_OK ? server_start(server, &env, why) : status;
}

/* Whether both questions of a connection are answered. The second comes in two pieces, of which the first is at the server
 * with the first question: it has to keep that. */
static bool ask(void)
{
    uint8_t bytes[256], reply[65535];
    int fd = client_connect(&address, SOCK_STREAM);
    size_t len = client_message(bytes, 1, "a", CLIENT_TYPE_A), first = len + 5;
    len += client_message(bytes + len, 2, "b", CLIENT_TYPE_A);
    bool is_answered = send(fd, bytes, first, MSG_NOSIGNAL) == (ssize_t)first &&
                       client_read_message(fd, reply) > 0 && client_id(reply) == 1 &&
                       send(fd, bytes + first, len - first, MSG_NOSIGNAL) > 0 &&
                       client_read_message(fd, reply) > 0 && client_id(reply) == 2;
    close(fd);
    return is_answered;
}

static void a_server_starts_whole_or_not(void **state)
{
    bool has_failed = true;
    unsigned n = 0;
    (void)state;
    for (; has_failed; n++) {
        struct detail why = {""};
        server = NULL;
        allocation_begin(n);
        enum status status = start(&why);
        has_failed = allocation_end();
        if (has_failed) {
            assert_true(status == STATUS_NO_MEMORY || status == STATUS_SYSTEM);
            assert_true(why.text[0]);
        } else {
            assert_int_equal(status, STATUS_OK);
            assert_true(bound_address(server, 0, &address) && ask());
        }
        server_stop(server);
    }
    assert_true(n > 15);
}

static void a_connection_without_memory_is_lost_alone(void **state)
{
    bool has_failed = true;
    unsigned lost = 0;
    struct detail why;
    (void)state;
    assert_int_equal(start(&why), STATUS_OK);
    assert_true(bound_address(server, 0, &address));
    for (unsigned n = 0; has_failed; n++) {
        allocation_begin(n);
        bool is_answered = ask();
        has_failed = allocation_end();
        assert_true(is_answered || has_failed);
        lost += !is_answered;
        assert_true(ask());
    }
    assert_true(lost > 2);
    server_stop(server);
}

static void what_the_workers_know_stays_when_it_cannot_be_replaced(void **state)
{
    struct detail why;
    (void)state;
    assert_int_equal(start(&why), STATUS_OK);
    assert_true(bound_address(server, 0, &address));
    allocation_begin(0);
    assert_int_equal(server_set_env(server, &env), STATUS_NO_MEMORY);
    assert_true(allocation_end());
    assert_true(ask());
    assert_int_equal(server_set_env(server, &env), STATUS_OK);
    assert_true(ask());
    server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_starts_whole_or_not),
        cmocka_unit_test(a_connection_without_memory_is_lost_alone),
        cmocka_unit_test(what_the_workers_know_stays_when_it_cannot_be_replaced),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
