/* A connection turn by turn, on a loop that the test turns itself. */
#include "dns/server/tcp_conn.h"

#include "dns/server/batch.h"
#include "dns/server/tcp.h"
#include "support/client.h"
#include "support/fake_answer.h"
#include "zones/store/rcu.h"

#include <sys/ioctl.h>

#define LIMIT      8
#define IDLE_MS    60000
#define LARGE_TYPE 60000
#define LARGE      (FRAMING_PREFIX + LARGE_TYPE)
#define SMALL      (FRAMING_PREFIX + 26)

static struct {
    uv_loop_t loop;
    struct tcp tcp;
    struct tcp_share share;
    struct batch batch;
    struct batch_env env;
    const struct batch_env *published;
    struct counters counters;
    struct sockaddr_storage address;
    int given; /* for a transfer; -1 = none */
    struct axfr_request request;
} server;

static uint8_t stream[1 << 20];

static void take_transfer(void *arg, int fd, const struct axfr_request *request)
{
    (void)arg;
    server.given = fd;
    server.request = *request;
}

static int setup(void **state)
{
    static struct acl everybody;
    int guard = -1, fd = -1;
    (void)state;
    rcu_reader_start();
    memset(&server, 0, sizeof(server));
    everybody.count = 0;
    assert_int_equal(acl_add(&everybody, "0.0.0.0/0", NULL), STATUS_OK);
    server.given = -1;
    server.env = (struct batch_env){.version = 1, .env = {.nsid_len = 2, .nsid = "v1"}};
    server.published = &server.env;
    server.batch = (struct batch){.published = &server.published,
                                  .counters = &server.counters,
                                  .allow_transfer = &everybody,
                                  .is_online = true};
    server.share = (struct tcp_share){.limit = LIMIT, .workers = 1, .transfer = take_transfer};
    server.address = client_address("127.0.0.1", 0);
    assert_int_equal(socket_claim(&server.address, &guard, NULL), STATUS_OK);
    assert_int_equal(socket_open(&server.address, SOCK_STREAM, &fd, NULL), STATUS_OK);
    close(guard);
    assert_int_equal(uv_loop_init(&server.loop), 0);
    tcp_add(&server.tcp, fd);
    assert_int_equal(tcp_start(&server.tcp, &server.loop, &server.batch, &server.share, IDLE_MS),
                     STATUS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (server.given >= 0)
        close(server.given);
    tcp_close(&server.tcp);
    uv_run(&server.loop, UV_RUN_DEFAULT);
    rcu_reader_stop();
    return uv_loop_close(&server.loop);
}

/* One turn of the loop, as the worker makes it. */
static void turn(void)
{
    tcp_turn(&server.tcp);
    uv_run(&server.loop, UV_RUN_NOWAIT);
}

static int open_client(void)
{
    unsigned before = server.tcp.count;
    int fd = client_connect(&server.address, SOCK_STREAM);
    for (int i = 0; i < 100 && server.tcp.count == before; i++)
        turn();
    assert_int_equal(server.tcp.count, before + 1);
    return fd;
}

/* That many queries in one piece; the server has them when this returns. */
static void send_queries(int fd, unsigned count, const char *label, uint16_t type)
{
    size_t len = 0;
    int there = 0;
    for (unsigned i = 0; i < count; i++)
        len += client_message(stream + len, (uint16_t)i, label, type);
    client_send(fd, stream, len);
    for (int i = 0; i < 1000 && there < (int)len; i++) {
        assert_int_equal(ioctl(TAILQ_LAST(&server.tcp.conns, tcp_conns)->fd, FIONREAD, &there), 0);
        usleep(1000);
    }
    assert_int_equal(there, len);
}

/* Octets that have come, without waiting. */
static size_t take(int fd)
{
    size_t sum = 0;
    ssize_t got;
    while ((got = recv(fd, stream, sizeof(stream), MSG_DONTWAIT)) > 0)
        sum += (size_t)got;
    return sum;
}

static uint64_t answered(void)
{
    return server.counters.rcodes[QUERY_TCP][0];
}

/* What has been answered is all there in the end. */
static void finish(int fd, size_t expected, size_t taken)
{
    for (int i = 0; i < 20000 && taken < expected; i++) {
        turn();
        taken += take(fd);
        if (i % 100 == 99)
            usleep(1000);
    }
    assert_int_equal(taken, expected);
    assert_true(TAILQ_EMPTY(&server.tcp.turns));
}

/* Otherwise a client that asks faster than it is answered would keep others, and datagrams, out. */
static void a_turn_ends_when_its_queries_have_cost_enough(void **state)
{
    enum { COUNT = 2000, MOST = TCP_TURN / (TCP_TURN_QUERY + SMALL) + 1 };
    (void)state;
    int fd = open_client();
    send_queries(fd, COUNT, "a", CLIENT_TYPE_A);
    for (unsigned turns = 1; answered() < COUNT; turns++) {
        uint64_t before = answered();
        turn();
        assert_in_range(answered() - before, 1, MOST);
        assert_true(turns <= 2 * COUNT / MOST);
    }
    finish(fd, COUNT * SMALL, take(fd));
    close(fd);
}

static void a_turn_ends_when_its_answers_are_large(void **state)
{
    (void)state;
    int fd = open_client();
    send_queries(fd, 100, "a", LARGE_TYPE);
    size_t taken = 0;
    for (unsigned i = 0; i < 20; i++) {
        uint64_t before = answered();
        turn();
        assert_in_range(answered() - before, 0, TCP_TURN / LARGE + 1);
        taken += take(fd);
    }
    finish(fd, 100 * LARGE, taken);
    close(fd);
}

/* Instances that are looked at cost, too, though they may say little. */
static void a_turn_ends_when_its_queries_looked_at_much(void **state)
{
    (void)state;
    int fd = open_client();
    send_queries(fd, 100, "looks", CLIENT_TYPE_A);
    turn();
    assert_int_equal(answered(), TCP_TURN / (TCP_TURN_LOOK * FAKE_LOOKS) + 0);
    finish(fd, 100 * (FRAMING_PREFIX + 30), take(fd));
    close(fd);
}

/* What is only received costs a quarter: 256 KiB of a message that is not complete. */
static void what_is_received_is_counted(void **state)
{
    static const uint8_t prefix[] = {0xff, 0xff};
    (void)state;
    int fd = open_client();
    client_send(fd, prefix, sizeof(prefix));
    memset(stream, 0, sizeof(stream));
    client_send(fd, stream, 40000);
    usleep(20000);
    tcp_turn(&server.tcp);
    uv_run(&server.loop, UV_RUN_NOWAIT);
    assert_int_equal(server.tcp.turn_left, TCP_TURN - 40002 / TCP_TURN_INPUT);
    /* And once more when it is looked at again. */
    client_send(fd, stream, 1000);
    usleep(20000);
    turn();
    assert_int_equal(server.tcp.turn_left,
                     TCP_TURN - 40002 / TCP_TURN_INPUT - 1000 / TCP_TURN_INPUT);
    close(fd);
}

/* A backlog that is taken is sent in the turn's time, too. */
static void what_is_sent_late_is_counted(void **state)
{
    (void)state;
    int fd = client_connect_from(&server.address, "127.0.0.1");
    while (server.tcp.count == 0)
        turn();
    send_queries(fd, 400, "a", LARGE_TYPE);
    struct tcp_conn *conn = TAILQ_LAST(&server.tcp.conns, tcp_conns);
    while (conn->events != UV_WRITABLE)
        turn();
    assert_non_null(conn->output);
    turn();
    assert_int_equal(server.tcp.turn_left, TCP_TURN); /* it waits for the client */
    size_t taken = 0;
    unsigned sendings = 0;
    for (int i = 0; i < 20000 && sendings < 10; i++) {
        int64_t rest = conn->output_len - conn->output_at, input = conn->input_len;
        uint64_t before = answered();
        taken += take(fd);
        turn();
        int64_t more = (int64_t)(answered() - before), left = TCP_TURN;
        if (more > 0) /* all of the rest was sent, and what was held up by it looked at */
            left -= rest + input / TCP_TURN_INPUT + more * (TCP_TURN_QUERY + LARGE);
        else
            left -= rest - (conn->output_len - conn->output_at);
        assert_int_equal(server.tcp.turn_left, left);
        sendings += more > 0;
        usleep(200);
    }
    assert_true(sendings > 0);
    finish(fd, 400 * LARGE, taken);
    close(fd);
}

/* What came while nothing was read is answered when the backlog is gone, and then nobody waits. */
static void who_is_slow_is_answered_and_let_go_at_the_end(void **state)
{
    (void)state;
    int fd = client_connect_from(&server.address, "127.0.0.1");
    while (server.tcp.count == 0)
        turn();
    send_queries(fd, 20, "a", LARGE_TYPE);
    const struct tcp_conn *conn = TAILQ_LAST(&server.tcp.conns, tcp_conns);
    while (conn->events != UV_WRITABLE)
        turn();
    send_queries(fd, 1, "a", CLIENT_TYPE_A);
    tcp_stop(&server.tcp);
    assert_false(TAILQ_EMPTY(&server.tcp.conns));
    finish(fd, 20 * LARGE + SMALL, 0);
    while (!TAILQ_EMPTY(&server.tcp.conns))
        turn();
    assert_int_equal(server.counters.tcp_closed_idle, 0); /* not for want of time */
    close(fd);
}

/* Its socket is the taker's from then on, with what was asked; what was asked before is answered
 * first, and what comes after it is not read. */
static void who_asks_for_a_transfer_is_given_away(void **state)
{
    (void)state;
    int fd = open_client();
    size_t len = client_message(stream, 1, "a", CLIENT_TYPE_A);
    len += client_message(stream + len, 2, "b", FAKE_AXFR);
    len += client_message(stream + len, 3, "c", CLIENT_TYPE_A);
    client_send(fd, stream, len);
    for (int i = 0; i < 1000 && server.given < 0; i++) {
        usleep(1000);
        turn();
    }
    assert_true(server.given >= 0);
    assert_int_equal(server.request.type, FAKE_AXFR);
    assert_int_equal(client_id(server.request.head), 2);
    assert_int_equal(server.tcp.count, 0);
    assert_int_equal(server.share.used, 0);
    assert_int_equal(client_read_message(fd, stream), 26);
    assert_int_equal(client_id(stream), 1);
    /* It is not closed on this side. */
    assert_int_equal(send(server.given, "mine", 4, MSG_NOSIGNAL), 4);
    assert_true(client_read(fd, stream, 4));
    close(fd);
}

/* A connection that is idle holds no memory for octets. */
static void only_what_is_unfinished_is_kept(void **state)
{
    (void)state;
    int fd = open_client();
    size_t len = client_message(stream, 1, "a", CLIENT_TYPE_A);
    struct tcp_conn *conn = TAILQ_LAST(&server.tcp.conns, tcp_conns);
    assert_true(tcp_conn_is_idle(conn));
    client_send(fd, stream, len + 5);
    usleep(20000);
    turn();
    assert_int_equal(conn->input_len, 5);
    assert_false(tcp_conn_is_idle(conn));
    client_send(fd, stream + 5, len - 5);
    usleep(20000);
    turn();
    assert_null(conn->input);
    assert_null(conn->output);
    assert_true(tcp_conn_is_idle(conn));
    assert_int_equal(take(fd), 2 * SMALL);
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_turn_ends_when_its_queries_have_cost_enough),
        TEST(a_turn_ends_when_its_answers_are_large),
        TEST(a_turn_ends_when_its_queries_looked_at_much),
        TEST(what_is_received_is_counted),
        TEST(what_is_sent_late_is_counted),
        TEST(who_asks_for_a_transfer_is_given_away),
        TEST(only_what_is_unfinished_is_kept),
        TEST(who_is_slow_is_answered_and_let_go_at_the_end),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
