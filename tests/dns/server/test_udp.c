#include "dns/server/udp.h"

#include "dns/wire/socket.h"
#include "support/client.h"
#include "support/fake_answer.h"
#include "zones/store/rcu.h"

#include <sys/syscall.h>
#include <time.h>

/* The kernel, where it would not do by itself what is to be seen. */
static struct {
    int errors[4]; /* of the next calls of sendmmsg(); 0: it sends one message */
    unsigned count;
    bool is_changed; /* what is received came to this address: */
    struct in6_pktinfo asked, source;
} kernel;

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    if (kernel.is_changed) {
        const struct cmsghdr *control = CMSG_FIRSTHDR(&messages[0].msg_hdr);
        assert_non_null(control);
        memcpy(&kernel.source, CMSG_DATA(control), sizeof(kernel.source));
        return (int)count;
    }
    if (kernel.count > 0) {
        int error = kernel.errors[--kernel.count];
        errno = error;
        if (error != 0)
            return -1;
        count = 1;
    }
    return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    int got = (int)syscall(SYS_recvmmsg, fd, messages, count, flags, timeout);
    if (got > 0 && kernel.is_changed) {
        struct cmsghdr *control = CMSG_FIRSTHDR(&messages[0].msg_hdr);
        assert_non_null(control);
        memcpy(CMSG_DATA(control), &kernel.asked, sizeof(kernel.asked));
    }
    return got;
}

/* In place of dns/server/rate_limit.c, which exempts loopback. */
static unsigned allowance;

bool rate_limit_allows(struct rate_limit *limit, const struct sockaddr *client, uint64_t now_us)
{
    (void)limit;
    (void)client;
    (void)now_us;
    return allowance != 0 && allowance--;
}

static struct {
    struct batch batch;
    struct batch_env env;
    const struct batch_env *published;
    struct counters counters;
    struct acl acl;
    struct udp udp;
    struct sockaddr_storage address;
    int fd;
    bool is_wildcard;
} server;

static void open_server(const char *host, struct rate_limit *limit)
{
    int guard = -1;
    memset(&server, 0, sizeof(server));
    server.env = (struct batch_env){.version = 1, .env = {.nsid_len = 2, .nsid = "v1"}};
    server.published = &server.env;
    server.batch = (struct batch){
        .published = &server.published, .counters = &server.counters, .is_online = true};
    udp_init(&server.udp, &server.batch, limit);
    server.address = client_address(host, 0);
    assert_int_equal(socket_claim(&server.address, &guard, NULL), STATUS_OK);
    assert_int_equal(socket_open(&server.address, SOCK_DGRAM, &server.fd, NULL), STATUS_OK);
    server.is_wildcard = socket_is_wildcard(&server.address);
    close(guard);
}

static void serve(void)
{
    udp_serve(&server.udp, server.fd, server.is_wildcard, 8);
}

/* Ask `label` and return the length of the reply in `reply`, 0 without one. */
static size_t ask(int fd, const char *label, uint8_t reply[UDP_REPLY_MAX])
{
    uint8_t query[128];
    client_send(fd, query, client_query(query, 7, label, CLIENT_TYPE_A));
    serve();
    ssize_t got = recv(fd, reply, UDP_REPLY_MAX, MSG_DONTWAIT);
    return got > 0 ? (size_t)got : 0;
}

static void every_query_of_a_burst_is_answered(void **state)
{
    (void)state;
    uint8_t bytes[UDP_REPLY_MAX];
    bool seen[100] = {false};
    open_server("127.0.0.1", NULL);
    int fd = client_connect(&server.address, SOCK_DGRAM);
    for (uint16_t i = 0; i < 100; i++)
        client_send(fd, bytes, client_query(bytes, i, "a", CLIENT_TYPE_A));
    serve();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), 24 + 2);
        assert_memory_equal(bytes + 24, "v1", 2);
        seen[client_id(bytes)] = true;
    }
    for (int i = 0; i < 100; i++)
        assert_true(seen[i]);
    assert_int_equal(server.counters.queries[QUERY_UDP][COUNTERS_TYPE_A], 100);
    assert_int_equal(server.counters.rcodes[QUERY_UDP][0], 100);
    close(fd);
    close(server.fd);
}

static void a_turn_ends_after_its_rounds(void **state)
{
    (void)state;
    uint8_t bytes[128];
    open_server("127.0.0.1", NULL);
    int fd = client_connect(&server.address, SOCK_DGRAM);
    for (uint16_t i = 0; i < 3 * BATCH_SIZE; i++)
        client_send(fd, bytes, client_query(bytes, i, "a", CLIENT_TYPE_A));
    udp_serve(&server.udp, server.fd, false, 2);
    assert_int_equal(server.counters.queries[QUERY_UDP][COUNTERS_TYPE_A], 2 * BATCH_SIZE);
    close(fd);
    close(server.fd);
}

static void replies_come_from_the_address_asked(void **state)
{
    static const struct {
        const char *wildcard, *asked;
    } rows[] = {{"0.0.0.0", "127.0.0.1"}, {"0.0.0.0", "127.0.0.2"}, {"::", "::1"}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t reply[UDP_REPLY_MAX];
        open_server(rows[i].wildcard, NULL);
        /* A connected socket takes replies from that address alone. */
        struct sockaddr_storage asked = client_address(rows[i].asked, client_port(&server.address));
        int fd = client_connect(&asked, SOCK_DGRAM);
        assert_int_equal(ask(fd, "a", reply), 26);
        assert_int_equal(ask(fd, "b", reply), 26);
        close(fd);
        close(server.fd);
    }
}

static void what_earns_no_reply_gets_none_and_does_not_hold_up_others(void **state)
{
    (void)state;
    uint8_t bytes[UDP_REPLY_MAX];
    open_server("127.0.0.1", NULL);
    int fd = client_connect(&server.address, SOCK_DGRAM);
    client_send(fd, bytes, 0);
    client_send(fd, (const uint8_t *)"\0\1\0\0\0\0\0\0\0\0\0", 11);
    size_t len = client_query(bytes, 3, "response", CLIENT_TYPE_A);
    bytes[2] = 0x80;
    client_send(fd, bytes, len);
    client_send(fd, bytes, client_query(bytes, 4, "a", CLIENT_TYPE_A));
    serve();
    assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), 26);
    assert_int_equal(client_id(bytes), 4);
    assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
    assert_int_equal(server.counters.dropped, 3);
    close(fd);
    close(server.fd);
}

static void a_query_longer_than_the_buffer_is_a_formerr(void **state)
{
    (void)state;
    uint8_t bytes[UDP_QUERY_MAX + 1] = {0};
    open_server("127.0.0.1", NULL);
    int fd = client_connect(&server.address, SOCK_DGRAM);
    client_query(bytes, 5, "a", CLIENT_TYPE_A);
    client_send(fd, bytes, sizeof(bytes));
    client_send(fd, bytes, sizeof(bytes) - 1);
    serve();
    assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), 24);
    assert_int_equal(bytes[3] & 15, 1);
    assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), 26);
    assert_int_equal(server.counters.malformed, 1);
    close(fd);
    close(server.fd);
}

static void strangers_are_refused_before_any_look_up(void **state)
{
    (void)state;
    uint8_t reply[UDP_REPLY_MAX];
    open_server("127.0.0.1", NULL);
    assert_int_equal(acl_add(&server.acl, "10.0.0.0/8", NULL), STATUS_OK);
    server.batch.allow = &server.acl;
    int fd = client_connect(&server.address, SOCK_DGRAM);
    fake_prepared = fake_fetched = 0;
    assert_int_equal(ask(fd, "a", reply), 24);
    assert_int_equal(reply[3] & 15, 5);
    assert_int_equal(fake_prepared + fake_fetched, 0);
    assert_int_equal(server.counters.refused_acl, 1);
    assert_int_equal(acl_add(&server.acl, "127.0.0.0/8", NULL), STATUS_OK);
    assert_int_equal(ask(fd, "a", reply), 26);
    assert_int_equal(fake_prepared + fake_fetched, 2);
    close(fd);
    close(server.fd);
}

static void
over_the_limit_every_second_answer_is_truncated_and_the_others_are_withheld(void **state)
{
    (void)state;
    uint8_t reply[UDP_REPLY_MAX];
    open_server("127.0.0.1", (struct rate_limit *)&server);
    int fd = client_connect(&server.address, SOCK_DGRAM);
    allowance = 2;
    for (int i = 0; i < 6; i++) {
        static const size_t lens[6] = {26, 26, 0, 24, 0, 24};
        assert_int_equal(ask(fd, "a", reply), lens[i]);
        if (lens[i] != 0)
            assert_int_equal(reply[2] & 2, lens[i] == 24 ? 2 : 0);
    }
    assert_int_equal(ask(fd, "cookie", reply), 31);
    assert_int_equal(server.counters.rate_limited, 4);
    assert_int_equal(server.counters.truncated, 2);
    assert_int_equal(server.counters.rcodes[QUERY_UDP][0], 5);
    assert_int_equal(server.counters.cookies_valid, 1);
    close(fd);
    close(server.fd);
}

static void answers_that_cannot_be_sent_are_counted(void **state)
{
    (void)state;
    uint8_t bytes[UDP_REPLY_MAX];
    open_server("127.0.0.1", NULL);
    int fd = client_connect(&server.address, SOCK_DGRAM);
    /* "Not connected", but sends fail from now on. */
    (void)shutdown(server.fd, SHUT_WR);
    for (uint16_t i = 0; i < 20; i++)
        client_send(fd, bytes, client_query(bytes, i, "a", CLIENT_TYPE_A));
    serve();
    assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
    assert_int_equal(server.counters.send_failed, 20);
    close(fd);
    close(server.fd);
}

/* Routing chooses the interface of a reply, which may be another than the query came in by; but
 * fe80::1 is another address on each. */
static void a_reply_from_a_link_local_address_leaves_by_its_interface(void **state)
{
    static const struct {
        const char *asked;
        unsigned interface;
    } rows[] = {{"fe80::1", 7}, {"febf::1", 7}, {"fd00::1", 0}, {"::1", 0}};
    (void)state;
    open_server("::", NULL);
    struct sockaddr_storage address = client_address("::1", client_port(&server.address));
    int fd = client_connect(&address, SOCK_DGRAM);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t reply[UDP_REPLY_MAX];
        kernel.is_changed = true;
        kernel.asked.ipi6_ifindex = 7;
        assert_int_equal(inet_pton(AF_INET6, rows[i].asked, &kernel.asked.ipi6_addr), 1);
        (void)ask(fd, "a", reply);
        kernel.is_changed = false;
        assert_memory_equal(&kernel.source.ipi6_addr, &kernel.asked.ipi6_addr, 16);
        assert_int_equal(kernel.source.ipi6_ifindex, rows[i].interface);
    }
    close(fd);
    close(server.fd);
}

/* Another may go elsewhere, but not past a full queue. */
static void what_one_reply_could_not_do_others_still_can(void **state)
{
    static const struct {
        const char *what;
        int errors[4]; /* the last one first */
        unsigned count, sent;
    } rows[] = {
        {"all at once", {0}, 0, 3},
        {"one by one", {0, 0, 0}, 3, 3},
        {"interrupted", {EINTR, 0, EINTR}, 3, 3},
        {"the first is refused", {EPERM}, 1, 2},
        {"the second is", {EPERM, 0}, 2, 2},
        {"full at first", {EAGAIN}, 1, 0},
        {"full at the second", {ENOBUFS, 0}, 2, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t bytes[UDP_REPLY_MAX];
        unsigned got = 0;
        open_server("127.0.0.1", NULL);
        int fd = client_connect(&server.address, SOCK_DGRAM);
        for (uint16_t id = 0; id < 3; id++)
            client_send(fd, bytes, client_query(bytes, id, "a", CLIENT_TYPE_A));
        memcpy(kernel.errors, rows[i].errors, sizeof(kernel.errors));
        kernel.count = rows[i].count;
        serve();
        while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            got++;
        if (got != rows[i].sent || server.counters.send_failed != 3 - rows[i].sent)
            fail_msg("%s: %u sent, %u failed", rows[i].what, got,
                     (unsigned)server.counters.send_failed);
        close(fd);
        close(server.fd);
    }
}

static void a_published_environment_holds_from_the_next_batch(void **state)
{
    (void)state;
    uint8_t reply[UDP_REPLY_MAX];
    open_server("127.0.0.1", NULL);
    int fd = client_connect(&server.address, SOCK_DGRAM);
    assert_int_equal(ask(fd, "a", reply), 26);
    server.env = (struct batch_env){.version = 2, .env = {.nsid_len = 5, .nsid = "later"}};
    assert_int_equal(ask(fd, "a", reply), 29);
    assert_memory_equal(reply + 24, "later", 5);
    assert_in_range(server.batch.env.now_s, time(NULL) - 2, time(NULL));
    close(fd);
    close(server.fd);
}

static int be_reader(void **state)
{
    (void)state;
    rcu_reader_start();
    return 0;
}

static int be_no_reader(void **state)
{
    (void)state;
    rcu_reader_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_of_a_burst_is_answered),
        cmocka_unit_test(a_turn_ends_after_its_rounds),
        cmocka_unit_test(replies_come_from_the_address_asked),
        cmocka_unit_test(what_earns_no_reply_gets_none_and_does_not_hold_up_others),
        cmocka_unit_test(a_query_longer_than_the_buffer_is_a_formerr),
        cmocka_unit_test(strangers_are_refused_before_any_look_up),
        cmocka_unit_test(
            over_the_limit_every_second_answer_is_truncated_and_the_others_are_withheld),
        cmocka_unit_test(answers_that_cannot_be_sent_are_counted),
        cmocka_unit_test(a_reply_from_a_link_local_address_leaves_by_its_interface),
        cmocka_unit_test(what_one_reply_could_not_do_others_still_can),
        cmocka_unit_test(a_published_environment_holds_from_the_next_batch),
    };
    return cmocka_run_group_tests(tests, be_reader, be_no_reader);
}
