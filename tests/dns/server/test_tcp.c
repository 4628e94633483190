#include "dns/server/server.h"

#include "dns/server/tcp_types.h"
#include "support/bound.h"
#include "support/client.h"
#include "support/fake_answer.h"
#include "zones/store/rcu.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define LIMIT      8
#define LARGE_TYPE 60000

static struct server *server;
static struct sockaddr_storage address;
static struct answer_env env = {.nsid_len = 2, .nsid = "v1"};
static uint8_t reply[65535], stream[1 << 20];

static int start(unsigned tcp_idle_s)
{
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    struct server_options options = {
        .listen = &listen,
        .listen_count = 1,
        .workers = 1,
        .tcp_connections = LIMIT,
        .tcp_idle_s = tcp_idle_s,
    };
    struct detail why = {""};
    if (server_open(&options, &server, &why) != STATUS_OK ||
        server_start(server, &env, &why) != STATUS_OK) {
        print_error("%s\n", why.text);
        return -1;
    }
    return bound_address(server, 0, &address) ? 0 : -1;
}

static int setup(void **state)
{
    (void)state;
    return start(10);
}

static int setup_patient(void **state)
{
    (void)state;
    return start(60);
}

static int setup_hasty(void **state)
{
    (void)state;
    return start(1);
}

static int teardown(void **state)
{
    (void)state;
    server_stop(server);
    server = NULL;
    rcu_barrier_all();
    return 0;
}

static void *stop(void *unused)
{
    (void)unused;
    server_stop(server);
    server = NULL;
    return NULL;
}

static int open_client(void)
{
    return client_connect(&address, SOCK_STREAM);
}

static void ask(int fd, uint16_t id)
{
    uint8_t bytes[128];
    client_send(fd, bytes, client_message(bytes, id, "a", CLIENT_TYPE_A));
}

static bool is_answered(int fd, uint16_t id)
{
    return client_read_message(fd, reply) == 26 && client_id(reply) == id;
}

static struct counters counted(void)
{
    struct counters out;
    server_counters(server, &out);
    return out;
}

static size_t fill_stream(unsigned count, uint16_t type)
{
    size_t len = 0;
    for (unsigned i = 0; i < count; i++)
        len += client_message(stream + len, (uint16_t)i, "a", type);
    return len;
}

static void a_connection_carries_many_queries(void **state)
{
    (void)state;
    int fd = open_client();
    for (uint16_t i = 0; i < 100; i++) {
        ask(fd, i);
        assert_true(is_answered(fd, i));
    }
    close(fd);
    assert_int_equal(counted().tcp_accepted, 1);
    assert_int_equal(counted().queries[QUERY_TCP][COUNTERS_TYPE_A], 100);
    assert_int_equal(counted().rcodes[QUERY_TCP][0], 100);
}

static void what_came_in_one_segment_is_answered_in_one(void **state)
{
    (void)state;
    int fd = open_client();
    client_send(fd, stream, fill_stream(40, CLIENT_TYPE_A));
    assert_int_equal(recv(fd, stream, sizeof(stream), 0), 40 * 28);
    for (uint16_t i = 0; i < 40; i++)
        assert_int_equal(client_id(stream + 28 * i + 2), i);
    close(fd);
}

static void ten_thousand_pipelined_queries_are_answered_in_order(void **state)
{
    (void)state;
    int fd = open_client();
    client_send(fd, stream, fill_stream(10000, CLIENT_TYPE_A));
    for (unsigned i = 0; i < 10000; i++)
        assert_true(is_answered(fd, (uint16_t)i));
    close(fd);
}

static void a_stream_may_be_split_anywhere(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 7, 25, 27, 53};
    (void)state;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        int fd = open_client();
        size_t len = fill_stream(4, CLIENT_TYPE_A), piece = pieces[i];
        for (size_t at = 0; at < len; at += piece) {
            client_send(fd, stream + at, len - at < piece ? len - at : piece);
            usleep(1000);
        }
        for (uint16_t id = 0; id < 4; id++)
            assert_true(is_answered(fd, id));
        close(fd);
    }
}

static void the_longest_query_is_answered(void **state)
{
    (void)state;
    int fd = open_client();
    memset(stream, 0, sizeof(stream));
    client_message(stream, 1, "a", CLIENT_TYPE_A);
    stream[0] = stream[1] = 0xff;
    client_message(stream + 65537, 2, "a", CLIENT_TYPE_A);
    client_send(fd, stream, 65537 + 26);
    assert_true(is_answered(fd, 1));
    assert_true(is_answered(fd, 2));
    close(fd);
}

static void a_client_that_has_said_all_still_hears_the_answers(void **state)
{
    (void)state;
    int fd = open_client();
    client_send(fd, stream, fill_stream(500, CLIENT_TYPE_A));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (uint16_t i = 0; i < 500; i++)
        assert_true(is_answered(fd, i));
    assert_true(client_is_closed(fd));
    close(fd);
}

static void nonsense_harms_nobody(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool is_reset, goes_on;
    } rows[] = {
        {"\0\0", 2, false, true},
        {"\0\1x\0\0\0\2xy", 9, false, true},
        {"\0\13abcdefghijk", 13, false, true},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, false, false},
        {"\26\3\1\2\0\1\0\1\374\3\3", 11, false, false}, /* a TLS client's hello */
        {"\0\32abc", 5, true, false},
        {"\377\377", 2, true, false},
        {"", 0, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = open_client();
        client_send(fd, (const uint8_t *)rows[i].bytes, rows[i].len);
        if (rows[i].goes_on) {
            ask(fd, 9);
            assert_true(is_answered(fd, 9));
        } else if (!rows[i].is_reset) {
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
            assert_true(client_is_closed(fd));
        }
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
        close(fd);
    }
    int fd = open_client();
    ask(fd, 1);
    assert_true(is_answered(fd, 1));
    close(fd);
}

static void a_slow_reader_gets_everything_in_the_end(void **state)
{
    (void)state;
    int fd = open_client();
    /* 24 MB of replies: beyond what the kernel holds, and beyond what one turn sends. */
    client_send(fd, stream, fill_stream(400, LARGE_TYPE));
    usleep(100000);
    int other = open_client();
    ask(other, 1);
    assert_true(is_answered(other, 1));
    close(other);
    for (uint16_t i = 0; i < 400; i++) {
        assert_int_equal(client_read_message(fd, reply), LARGE_TYPE);
        assert_int_equal(client_id(reply), i);
    }
    ask(fd, 500);
    assert_true(is_answered(fd, 500));
    close(fd);
}

/* What costs much may say little. */
static void others_do_not_wait_for_short_answers_that_cost_much(void **state)
{
    enum { COUNT = 1000, ALONE = TCP_TURN / (TCP_TURN_QUERY + 28) };
    (void)state;
    size_t len = 0;
    for (unsigned i = 0; i < COUNT; i++)
        len += client_message(stream + len, (uint16_t)i, "looks", CLIENT_TYPE_A);
    int fd = open_client(), other = open_client();
    client_send(fd, stream, len);
    ask(other, 1);
    assert_true(is_answered(other, 1));
    assert_true(counted().queries[QUERY_TCP][COUNTERS_TYPE_A] < ALONE);
    close(other);
    close(fd);
}

static void a_reader_that_takes_nothing_is_closed(void **state)
{
    (void)state;
    int fd = open_client();
    client_send(fd, stream, fill_stream(400, LARGE_TYPE));
    usleep(1600000);
    assert_int_equal(counted().tcp_closed_idle, 1);
    close(fd);
}

static void idle_and_slow_writers_are_closed_in_time(void **state)
{
    (void)state;
    int idle = open_client(), slow = open_client(), busy = open_client();
    client_send(slow, (const uint8_t *)"\0\32", 2);
    /* A busy one stays; neither does dripping octets help. */
    for (uint16_t i = 0; i < 16; i++) {
        ask(busy, i);
        assert_true(is_answered(busy, i));
        (void)send(slow, "a", 1, MSG_NOSIGNAL);
        usleep(100000);
    }
    client_patience(idle, 1);
    client_patience(slow, 1);
    assert_true(client_is_closed(idle));
    assert_true(client_is_closed(slow));
    assert_int_equal(counted().tcp_closed_idle, 2);
    close(idle);
    close(slow);
    close(busy);
}

static void a_crowd_is_thinned_sooner(void **state)
{
    (void)state;
    int fds[LIMIT];
    for (int i = 0; i < LIMIT; i++)
        fds[i] = open_client();
    usleep(650000);
    assert_in_range(counted().tcp_closed_idle, 1, LIMIT / 2);
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
}

static void the_oldest_idle_connection_makes_room(void **state)
{
    (void)state;
    int fds[LIMIT], extra;
    for (uint16_t i = 0; i < LIMIT; i++) {
        fds[i] = open_client();
        ask(fds[i], i);
        assert_true(is_answered(fds[i], i));
    }
    ask(fds[0], 7);
    assert_true(is_answered(fds[0], 7));
    extra = open_client();
    ask(extra, 8);
    assert_true(is_answered(extra, 8));
    assert_true(client_is_closed(fds[1]));
    ask(fds[0], 9);
    assert_true(is_answered(fds[0], 9));
    assert_int_equal(counted().tcp_closed_full, 1);
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
    close(extra);
}

/* However long others have been idle. */
static void the_network_that_holds_most_makes_room(void **state)
{
    (void)state;
    int fds[LIMIT], extra;
    for (uint16_t i = 0; i < LIMIT; i++) {
        fds[i] = client_connect_from(&address, i == 0 ? "127.0.1.1" : "127.0.2.1");
        ask(fds[i], i);
        assert_true(is_answered(fds[i], i));
    }
    extra = client_connect_from(&address, "127.0.3.1");
    ask(extra, 8);
    assert_true(is_answered(extra, 8));
    assert_true(client_is_closed(fds[1]));
    ask(fds[0], 9);
    assert_true(is_answered(fds[0], 9));
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
    close(extra);
}

static void a_newcomer_goes_when_all_are_at_something(void **state)
{
    (void)state;
    int fds[LIMIT + 1];
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = open_client();
        ask(fds[i], 1);
        assert_true(is_answered(fds[i], 1));
        client_send(fds[i], (const uint8_t *)"\0", 1);
    }
    usleep(20000);
    fds[LIMIT] = open_client();
    client_patience(fds[LIMIT], 50);
    assert_true(client_is_closed(fds[LIMIT]));
    assert_int_equal(counted().tcp_closed_full, 1);
    for (int i = 0; i <= LIMIT; i++)
        close(fds[i]);
}

/* What somebody does who wants to keep his connections, each time he has the chance. */
enum trick {
    TRICK_NOTHING,
    TRICK_OCTETS,   /* one octet after another of a long message */
    TRICK_HALVES,   /* the other half of a message and the first of the next */
    TRICK_DEAF,     /* asks and takes nothing */
    TRICK_REQUESTS, /* asks and takes */
    TRICKS
};

static void play(int fd, enum trick trick, unsigned round)
{
    static const uint8_t octet[] = {0xff, 0xff};
    uint8_t bytes[128], taken[4096];
    size_t len = client_message(bytes, 1, "a", CLIENT_TYPE_A), half = len / 2;
    switch (trick) {
    case TRICK_OCTETS:
        (void)send(fd, octet, round == 0 ? 2 : 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
    case TRICK_HALVES:
        if (round > 0)
            (void)send(fd, bytes + half, len - half, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);
        (void)send(fd, bytes, half, MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
    case TRICK_DEAF:
        len = client_message(bytes, 1, "a", LARGE_TYPE);
        (void)send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
    case TRICK_REQUESTS:
        (void)send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)recv(fd, taken, sizeof(taken), MSG_DONTWAIT);
        break;
    default:
        break;
    }
}

/* Connections of an attacker, all from one network or each from its own; opened again as soon as
 * they are closed. */
static void attack(int fds[LIMIT], enum trick trick, bool is_one, unsigned round)
{
    for (int i = 0; i < LIMIT; i++) {
        char host[32], byte;
        ssize_t got = fds[i] < 0 ? 0 : recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK);
        bool is_closed = got == 0 || (got < 0 && errno != EAGAIN);
        if (is_closed) {
            if (fds[i] >= 0)
                close(fds[i]);
            snprintf(host, sizeof(host), "127.0.%d.%d", is_one ? 1 : 10 + i, 1 + i);
            fds[i] = client_connect_from(&address, host);
        }
        play(fds[i], trick, is_closed ? 0 : round);
    }
}

/* Many networks with one connection each: who has just come, and has not asked yet, is not the next
 * to go, whatever the others are at. */
static void a_newcomer_may_take_a_moment_to_ask(void **state)
{
    (void)state;
    for (unsigned trick = 0; trick < TRICKS; trick++) {
        int fds[LIMIT], later[LIMIT / 2 - 1];
        memset(fds, -1, sizeof(fds));
        attack(fds, (enum trick)trick, false, 0);
        usleep(20000);
        int honest = client_connect_from(&address, "127.0.7.7");
        for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
            char host[32];
            snprintf(host, sizeof(host), "127.0.%zu.1", 100 + i);
            later[i] = client_connect_from(&address, host);
            play(later[i], (enum trick)trick, 0);
            usleep(20000);
        }
        ask(honest, 5);
        if (!is_answered(honest, 5))
            fail_msg("trick %u", trick);
        close(honest);
        for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
            close(later[i]);
        for (int i = 0; i < LIMIT; i++)
            close(fds[i]);
        usleep(20000);
    }
}

static void nobody_keeps_others_out(void **state)
{
    (void)state;
    for (unsigned trick = 0; trick < TRICKS; trick++)
        for (unsigned is_one = 0; is_one < 2; is_one++) {
            int fds[LIMIT];
            memset(fds, -1, sizeof(fds));
            for (unsigned round = 0; round < 10; round++) {
                attack(fds, (enum trick)trick, is_one, round);
                usleep(20000);
                int honest = client_connect_from(&address, "127.0.7.7");
                ask(honest, 5);
                if (!is_answered(honest, 5))
                    fail_msg("trick %u, one network: %u, round %u", trick, is_one, round);
                close(honest);
            }
            for (int i = 0; i < LIMIT; i++)
                close(fds[i]);
        }
}

/* However long the idle time is. */
static void a_message_must_be_complete_in_a_second_when_all_slots_are_used(void **state)
{
    (void)state;
    int fds[LIMIT];
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = open_client();
        if (i % 2 == 0)
            client_send(fds[i], (const uint8_t *)"\0", 1);
    }
    client_patience(fds[0], 5000);
    assert_true(client_is_closed(fds[0]));
    /* Then there is room, and no hurry. */
    for (int i = 1; i < LIMIT; i++) {
        ask(fds[i], 3);
        if (i % 2 == 1)
            assert_true(is_answered(fds[i], 3));
    }
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
}

/* Octets in the kernel's send queues of the server's port, of connections closed or not. */
static unsigned long unsent(void)
{
    char line[512], own[16];
    unsigned long sum = 0;
    snprintf(own, sizeof(own), ":%04X", client_port(&address));
    FILE *file = fopen("/proc/net/tcp", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        char local[64], remote[64];
        unsigned row, connection;
        unsigned long queued;
        if (sscanf(line, "%u: %63s %63s %x %lx:", &row, local, remote, &connection, &queued) == 5 &&
            strstr(local, own) && connection != 10) /* not the listener */
            sum += queued;
    }
    fclose(file);
    return sum;
}

static bool is_soon_sent(void)
{
    for (int i = 0; i < 500 && unsent() > 0; i++)
        usleep(10000);
    return unsent() == 0;
}

/* Ask for `count` large replies on all slots, and take none. */
static void ask_and_be_deaf(int fds[LIMIT], unsigned count)
{
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = client_connect_from(&address, "127.0.1.1");
        client_send(fds[i], stream, fill_stream(count, LARGE_TYPE));
    }
    usleep(100000);
}

static void the_kernel_holds_little_for_who_does_not_read(void **state)
{
    (void)state;
    int fds[LIMIT];
    ask_and_be_deaf(fds, 400);
    assert_in_range(unsent(), LIMIT, LIMIT * 300000);
    assert_true(is_soon_sent());
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
}

/* One reply fits into what the kernel takes, so that nothing is left to send. */
static void who_says_all_and_does_not_read_is_not_kept_by_the_kernel(void **state)
{
    (void)state;
    int fds[LIMIT];
    ask_and_be_deaf(fds, 1);
    for (int i = 0; i < LIMIT; i++)
        assert_int_equal(shutdown(fds[i], SHUT_WR), 0);
    usleep(20000);
    assert_true(unsent() > 0);
    assert_true(is_soon_sent());
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
}

static void nothing_is_left_in_the_kernel_at_the_end(void **state)
{
    (void)state;
    int fds[LIMIT];
    ask_and_be_deaf(fds, 1);
    assert_true(unsent() > 0);
    server_stop(server);
    server = NULL;
    assert_int_equal(unsent(), 0);
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
}

/* The end of a connection, and of the server, cuts nobody off. */
static void who_reads_slowly_gets_all_after_the_end(void **state)
{
    (void)state;
    for (unsigned is_stopped = 0; is_stopped < 2; is_stopped++) {
        int fd = client_connect_from(&address, "127.0.1.1");
        client_send(fd, stream, fill_stream(1, LARGE_TYPE));
        if (is_stopped) {
            usleep(50000);
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, stop, NULL), 0);
            usleep(50000);
            assert_int_equal(client_read_message(fd, reply), LARGE_TYPE);
            pthread_join(thread, NULL);
        } else {
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
            usleep(50000);
            assert_int_equal(client_read_message(fd, reply), LARGE_TYPE);
        }
        assert_true(client_is_closed(fd));
        close(fd);
    }
}

static void slots_come_back(void **state)
{
    (void)state;
    for (int i = 0; i < 5 * LIMIT; i++) {
        int fd = open_client();
        ask(fd, 1);
        assert_true(is_answered(fd, 1));
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        assert_true(client_is_closed(fd));
        close(fd);
    }
    assert_int_equal(counted().tcp_closed_full, 0);
}

static void a_transfer_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[128];
    int fd = open_client();
    client_send(fd, bytes, client_message(bytes, 1, "a", FAKE_AXFR));
    assert_int_equal(client_read_message(fd, reply), 24);
    assert_int_equal(reply[3] & 15, 5);
    assert_int_equal(counted().queries[QUERY_TCP][COUNTERS_TYPE_AXFR], 1);
    close(fd);
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* With no descriptor to spare the server waits, at next to no cost, and then goes on. */
static void running_out_of_descriptors_is_survived(void **state)
{
    (void)state;
    struct rlimit before, none;
    int fd = socket(AF_INET, SOCK_STREAM, 0), hole = dup(fd);
    client_patience(fd, 2000);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    close(hole);
    none = (struct rlimit){.rlim_cur = (rlim_t)hole, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, client_address_len(&address)),
                     0);
    double cpu = cpu_s();
    usleep(300000);
    cpu = cpu_s() - cpu;
    uint64_t accepted = counted().tcp_accepted;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(accepted, 0);
    assert_true(cpu < 0.1);
    ask(fd, 1);
    assert_true(is_answered(fd, 1));
    close(fd);
}

int main(void)
{
#define PATIENT(name) cmocka_unit_test_setup_teardown(name, setup_patient, teardown)
#define HASTY(name)   cmocka_unit_test_setup_teardown(name, setup_hasty, teardown)
#define TEST(name)    cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_connection_carries_many_queries),
        TEST(what_came_in_one_segment_is_answered_in_one),
        TEST(ten_thousand_pipelined_queries_are_answered_in_order),
        TEST(a_stream_may_be_split_anywhere),
        TEST(the_longest_query_is_answered),
        TEST(a_client_that_has_said_all_still_hears_the_answers),
        TEST(nonsense_harms_nobody),
        TEST(a_slow_reader_gets_everything_in_the_end),
        TEST(others_do_not_wait_for_short_answers_that_cost_much),
        HASTY(a_reader_that_takes_nothing_is_closed),
        HASTY(idle_and_slow_writers_are_closed_in_time),
        HASTY(a_crowd_is_thinned_sooner),
        TEST(the_oldest_idle_connection_makes_room),
        TEST(the_network_that_holds_most_makes_room),
        TEST(a_newcomer_goes_when_all_are_at_something),
        TEST(a_newcomer_may_take_a_moment_to_ask),
        TEST(nobody_keeps_others_out),
        PATIENT(a_message_must_be_complete_in_a_second_when_all_slots_are_used),
        HASTY(the_kernel_holds_little_for_who_does_not_read),
        HASTY(who_says_all_and_does_not_read_is_not_kept_by_the_kernel),
        TEST(nothing_is_left_in_the_kernel_at_the_end),
        TEST(who_reads_slowly_gets_all_after_the_end),
        TEST(slots_come_back),
        TEST(a_transfer_is_refused),
        TEST(running_out_of_descriptors_is_survived),
    };
#undef TEST
#undef HASTY
#undef PATIENT
    return cmocka_run_group_tests(tests, NULL, NULL);
}
