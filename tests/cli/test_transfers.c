#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transfers.h"

#include "zones/zone.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HEADER_LEN 12
#define TURNS      500

struct fixture {
    uv_loop_t loop;
    struct zone *zone;
    struct transfers *transfers;
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
           transfers_start(&fixture.loop, fixture.zone, &log, &fixture.transfers);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    transfers_stop(fixture->transfers);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    zone_free(fixture->zone);
    return uv_loop_close(&fixture->loop);
}

/* Hand over one end of a connection, as a worker does. Returns the other end. */
static int ask(struct fixture *fixture)
{
    static const struct transfer_request request = {
        .type = 252,
        .head_len = HEADER_LEN + 7,
        .question_len = 7,
        .head = {0x12, 0x34, 0x84, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, /* QR AA, one question */
                 1, 'z', 0,                                      /* "z." */
                 0, 252, 0, 1},                                  /* AXFR IN */
    };
    struct timeval patience = {.tv_sec = 20};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    transfers_take(fixture->transfers, ends[1], &request);
    return ends[0];
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
    transfers_hold(fixture->transfers, true);
    int fd = ask(fixture);
    turn(fixture);
    usleep(20000);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    transfers_hold(fixture->transfers, false);
    assert_int_equal(answered(fd, &answers), 0);
    close(fd);
}

static void while_etcd_is_away_nobody_waits_for_the_rest_of_a_change(void **state)
{
    struct fixture *fixture = *state;
    unsigned answers = 0;
    transfers_hold(fixture->transfers, true);
    int before = ask(fixture);
    transfers_break(fixture->transfers, true);
    assert_int_equal(answered(before, &answers), 2);
    int meanwhile = ask(fixture);
    turn(fixture);
    assert_int_equal(answered(meanwhile, &answers), 2);
    transfers_break(fixture->transfers, false);
    transfers_hold(fixture->transfers, false);
    int after = ask(fixture);
    turn(fixture);
    assert_int_equal(answered(after, &answers), 0);
    close(before);
    close(meanwhile);
    close(after);
}

static void more_than_can_wait_are_refused(void **state)
{
    struct fixture *fixture = *state;
    int fds[TRANSFERS_QUEUE_MAX];
    unsigned answers = 0;
    transfers_hold(fixture->transfers, true);
    for (size_t i = 0; i < TRANSFERS_QUEUE_MAX; i++)
        fds[i] = ask(fixture);
    int refused = ask(fixture);
    assert_int_equal(answered(refused, &answers), 2);
    assert_int_equal(answers, 0);
    close(refused);
    transfers_hold(fixture->transfers, false);
    for (size_t i = 0; i < TRANSFERS_QUEUE_MAX; i++) {
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

static void those_that_wait_at_the_end_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct log log = {0};
    unsigned answers = 0;
    transfers_hold(fixture->transfers, true);
    int fd = ask(fixture);
    transfers_stop(fixture->transfers);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(answered(fd, &answers), 2);
    close(fd);
    assert_int_equal(transfers_start(&fixture->loop, fixture->zone, &log, &fixture->transfers),
                     STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_transfer_is_made_by_another_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_the_zone_changes_transfers_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_etcd_is_away_nobody_waits_for_the_rest_of_a_change,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_can_wait_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_that_wait_at_the_end_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
