#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/serve/xfr_child.h"

#include "zones/zone.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HEADER_LEN 12
#define TURNS      500

struct fixture {
    uv_loop_t loop;
    struct zone *zone;
    struct xfr_child *transfers;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    static const struct zone_options options = {
        .domain = "z", .record_ttl_s = 10, .negative_ttl_s = 5, .has_switches = true};
    struct log log = {0};
    struct detail why;
    fixture = (struct fixture){0};
    *state = &fixture;
    return uv_loop_init(&fixture.loop) != 0 || zone_new(&options, &fixture.zone, &why) ||
           xfr_child_start(&fixture.loop, fixture.zone, &log, &fixture.transfers);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    xfr_child_stop(fixture->transfers);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    zone_free(fixture->zone);
    return uv_loop_close(&fixture->loop);
}

static const struct axfr_request request = {
    .type = 252,
    .head_len = HEADER_LEN + 7,
    .question_len = 7,
    .head = {0x12, 0x34, 0x84, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, /* QR AA, one question */
             1, 'z', 0,                                      /* "z." */
             0, 252, 0, 1},                                  /* AXFR IN */
};

static void be_patient(int fd)
{
    struct timeval patience = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* Hand over one end of a connection, as a worker does. Returns the other end. */
static int ask(struct fixture *fixture)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    be_patient(ends[0]);
    xfr_child_take(fixture->transfers, ends[1], &request);
    return ends[0];
}

/* The same over TCP, from an address, by somebody who takes little at a time. */
static int ask_from(struct fixture *fixture, const char *host)
{
    struct sockaddr_in own = {.sin_family = AF_INET}, server = own;
    socklen_t len = sizeof(server);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), octets = 4096;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(inet_pton(AF_INET, host, &own.sin_addr), 1);
    assert_int_equal(bind(listener, (struct sockaddr *)&server, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&server, &len), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
    assert_int_equal(bind(fd, (struct sockaddr *)&own, len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&server, len), 0);
    be_patient(fd);
    xfr_child_take(fixture->transfers, accept(listener, NULL, NULL), &request);
    close(listener);
    return fd;
}

/* More than the kernel takes from who does not wait for a reader. */
static void fill_zone(struct fixture *fixture)
{
    for (unsigned i = 0; i < 8000; i++) {
        char key[64], value[64];
        int len = snprintf(key, sizeof(key), "/service/web/instance-with-a-long-name-%u", i);
        int value_len = snprintf(value, sizeof(value), "10.1.%u.%u:80", i >> 8, i & 255);
        assert_int_equal(
            zone_put(fixture->zone, key, (size_t)len, value, (size_t)value_len, i + 1, 0),
            STATUS_OK);
    }
    zone_commit(fixture->zone, 8000);
}

/* The rcode of what was answered; *answers its number of records. */
static int answered(int fd, unsigned *answers)
{
    uint8_t bytes[2 + HEADER_LEN];
    assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_WAITALL), sizeof(bytes));
    assert_int_equal(bytes[2] << 8 | bytes[3], 0x1234);
    *answers = (unsigned)(bytes[8] << 8 | bytes[9]);
    return bytes[5] & 15;
}

static void turn(struct fixture *fixture)
{
    for (int i = 0; i < 3; i++)
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static void a_transfer_is_made_by_another_process(void **state)
{
    struct fixture *fixture = *state;
    unsigned answers = 0;
    int fd = ask(fixture);
    turn(fixture);
    assert_int_equal(answered(fd, &answers), 0);
    assert_true(answers >= 4); /* SOA, NS, the PTRs for browsing, SOA */
    close(fd);
}

static void while_the_zone_changes_transfers_wait(void **state)
{
    struct fixture *fixture = *state;
    unsigned answers = 0;
    char byte;
    xfr_child_hold(fixture->transfers, true);
    int fd = ask(fixture);
    turn(fixture);
    usleep(20000);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    xfr_child_hold(fixture->transfers, false);
    assert_int_equal(answered(fd, &answers), 0);
    close(fd);
}

static void while_etcd_is_away_nobody_waits_for_the_rest_of_a_change(void **state)
{
    struct fixture *fixture = *state;
    unsigned answers = 0;
    xfr_child_hold(fixture->transfers, true);
    int before = ask(fixture);
    xfr_child_break(fixture->transfers, true);
    assert_int_equal(answered(before, &answers), 2);
    int meanwhile = ask(fixture);
    turn(fixture);
    assert_int_equal(answered(meanwhile, &answers), 2);
    xfr_child_break(fixture->transfers, false);
    xfr_child_hold(fixture->transfers, false);
    int after = ask(fixture);
    turn(fixture);
    assert_int_equal(answered(after, &answers), 0);
    close(before);
    close(meanwhile);
    close(after);
}

/* What is known may be old, but it is one state of the store. */
static void while_etcd_is_away_a_whole_zone_is_transferred(void **state)
{
    struct fixture *fixture = *state;
    unsigned answers = 0;
    xfr_child_break(fixture->transfers, true);
    int fd = ask(fixture);
    turn(fixture);
    assert_int_equal(answered(fd, &answers), 0);
    assert_true(answers >= 4);
    close(fd);
}

static void more_than_can_wait_are_refused(void **state)
{
    struct fixture *fixture = *state;
    int fds[XFR_CHILD_QUEUE_MAX];
    unsigned answers = 0;
    xfr_child_hold(fixture->transfers, true);
    for (size_t i = 0; i < XFR_CHILD_QUEUE_MAX; i++)
        fds[i] = ask(fixture);
    int refused = ask(fixture);
    assert_int_equal(answered(refused, &answers), 2);
    assert_int_equal(answers, 0);
    close(refused);
    xfr_child_hold(fixture->transfers, false);
    for (size_t i = 0; i < XFR_CHILD_QUEUE_MAX; i++) {
        /* As places become free, the next ones begin. */
        for (int k = 0; k < TURNS; k++) {
            char byte;
            turn(fixture);
            if (recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1)
                break;
            usleep(10000);
        }
        assert_int_equal(answered(fds[i], &answers), 0);
        close(fds[i]);
    }
}

/* Whether something has been sent, soon. */
static bool has_begun(struct fixture *fixture, int fd)
{
    char byte;
    for (int i = 0; i < TURNS; i++) {
        turn(fixture);
        if (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1)
            return true;
        usleep(10000);
    }
    return false;
}

static void a_network_that_does_not_read_holds_up_itself_alone(void **state)
{
    struct fixture *fixture = *state;
    int slow[XFR_CHILD_MAX];
    unsigned answers = 0;
    char byte;
    fill_zone(fixture);
    for (int i = 0; i < XFR_CHILD_MAX; i++) {
        char host[32];
        snprintf(host, sizeof(host), "127.0.1.%d", 1 + i);
        slow[i] = ask_from(fixture, host);
    }
    assert_true(has_begun(fixture, slow[0]));
    int other = ask_from(fixture, "127.0.7.7");
    assert_true(has_begun(fixture, other));
    assert_int_equal(answered(other, &answers), 0);
    assert_int_equal(recv(slow[XFR_CHILD_CLIENT_MAX], &byte, 1, MSG_DONTWAIT), -1);
    /* As soon as one of them goes away, the next has its turn. */
    close(slow[0]);
    assert_true(has_begun(fixture, slow[XFR_CHILD_CLIENT_MAX]));
    for (int i = 1; i < XFR_CHILD_MAX; i++)
        close(slow[i]);
    close(other);
}

/* Also one that has said all that it will say. */
static void who_reads_late_gets_all(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t bytes[1 << 16];
    fill_zone(fixture);
    int fd = ask_from(fixture, "127.0.1.1");
    size_t len = 0;
    ssize_t got;
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(has_begun(fixture, fd));
    usleep(200000);
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        len += (size_t)got;
    assert_int_equal(got, 0); /* no reset */
    assert_true(len > 600000);
    close(fd);
}

static void a_network_of_which_too_many_wait_is_refused(void **state)
{
    struct fixture *fixture = *state;
    int fds[XFR_CHILD_CLIENT_QUEUE_MAX];
    unsigned answers = 0;
    xfr_child_hold(fixture->transfers, true);
    for (int i = 0; i < XFR_CHILD_CLIENT_QUEUE_MAX; i++)
        fds[i] = ask_from(fixture, "127.0.1.1");
    int refused = ask_from(fixture, "127.0.1.2"), other = ask_from(fixture, "127.0.7.7");
    assert_int_equal(answered(refused, &answers), 5);
    xfr_child_hold(fixture->transfers, false);
    assert_true(has_begun(fixture, other));
    assert_int_equal(answered(other, &answers), 0);
    for (int i = 0; i < XFR_CHILD_CLIENT_QUEUE_MAX; i++)
        close(fds[i]);
    close(refused);
    close(other);
}

static void who_has_gone_waits_no_more(void **state)
{
    struct fixture *fixture = *state;
    unsigned answers = 0;
    xfr_child_hold(fixture->transfers, true);
    for (int i = 0; i < XFR_CHILD_QUEUE_MAX; i++) {
        char host[32];
        snprintf(host, sizeof(host), "127.0.%d.1", i / XFR_CHILD_CLIENT_QUEUE_MAX);
        close(i % 2 ? ask_from(fixture, host) : ask(fixture));
    }
    int fd = ask_from(fixture, "127.0.7.7");
    xfr_child_hold(fixture->transfers, false);
    assert_true(has_begun(fixture, fd));
    assert_int_equal(answered(fd, &answers), 0);
    close(fd);
}

static void those_that_wait_at_the_end_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct log log = {0};
    unsigned answers = 0;
    xfr_child_hold(fixture->transfers, true);
    int fd = ask(fixture);
    xfr_child_stop(fixture->transfers);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(answered(fd, &answers), 2);
    close(fd);
    assert_int_equal(xfr_child_start(&fixture->loop, fixture->zone, &log, &fixture->transfers),
                     STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_transfer_is_made_by_another_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_the_zone_changes_transfers_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_etcd_is_away_nobody_waits_for_the_rest_of_a_change,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_etcd_is_away_a_whole_zone_is_transferred, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(more_than_can_wait_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_network_that_does_not_read_holds_up_itself_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_reads_late_gets_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_network_of_which_too_many_wait_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_has_gone_waits_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_that_wait_at_the_end_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
