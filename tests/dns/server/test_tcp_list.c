/* The order in which connections last got on, and the timer that looks at the oldest. */
#include "dns/server/tcp_list.h"

#include "dns/server/tcp_clients.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CONNS 5

static struct {
    uv_loop_t loop;
    struct tcp *tcp;
    struct tcp_share share;
    struct tcp_conn conns[CONNS];
    unsigned sweeps;
} world;

static void on_sweep(uv_timer_t *timer)
{
    (void)timer;
    world.sweeps++;
}

static int setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    world.tcp = calloc(1, sizeof(*world.tcp));
    assert_non_null(world.tcp);
    assert_int_equal(uv_loop_init(&world.loop), 0);
    world.share = (struct tcp_share){.limit = 8, .workers = 1, .used = CONNS};
    world.tcp->loop = &world.loop;
    world.tcp->share = &world.share;
    world.tcp->on_sweep = on_sweep;
    uv_timer_init(&world.loop, &world.tcp->sweep);
    uv_idle_init(&world.loop, &world.tcp->busy);
    assert_int_equal(tcp_clients_init(world.tcp), STATUS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    while (!TAILQ_EMPTY(&world.tcp->conns))
        tcp_list_leave(world.tcp, TAILQ_FIRST(&world.tcp->conns));
    world.tcp->is_stopping = true;
    world.tcp->is_starved = false;
    tcp_list_stop_sweep(world.tcp);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    tcp_clients_clear(world.tcp);
    free(world.tcp);
    return uv_loop_close(&world.loop);
}

static void join(unsigned i)
{
    world.conns[i].address.in.sin_family = AF_INET;
    world.conns[i].address.in.sin_addr.s_addr = htonl(10u << 24 | (i % 2) << 8);
    assert_true(tcp_list_join(world.tcp, &world.conns[i]));
}

/* The connections from the oldest on as digits, and the same backwards. */
static void is_order(const char *order)
{
    char forwards[CONNS + 1] = "", backwards[CONNS + 1] = "";
    size_t len = 0;
    const struct tcp_conn *conn;
    TAILQ_FOREACH(conn, &world.tcp->conns, by_progress)
    forwards[len++] = (char)('0' + (conn - world.conns));
    assert_string_equal(forwards, order);
    TAILQ_FOREACH_REVERSE(conn, &world.tcp->conns, tcp_conns, by_progress)
    backwards[--len] = (char)('0' + (conn - world.conns));
    assert_string_equal(backwards, order);
    assert_int_equal(world.tcp->count, strlen(order));
}

static bool is_sweeping(void)
{
    return uv_is_active((uv_handle_t *)&world.tcp->sweep);
}

static void who_got_on_last_is_the_newest(void **state)
{
    (void)state;
    is_order("");
    for (unsigned i = 0; i < CONNS; i++)
        join(i);
    is_order("01234");
    static const struct {
        unsigned conn;
        const char *order;
    } rows[] = {{0, "12340"}, {0, "12340"}, {3, "12403"}, {1, "24031"}, {1, "24031"}, {4, "20314"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tcp_conn *conn = &world.conns[rows[i].conn];
        conn->last_progress_ms = 0;
        usleep(2000);
        uv_update_time(&world.loop);
        tcp_list_mark_progress(world.tcp, conn);
        is_order(rows[i].order);
        assert_int_equal(conn->last_progress_ms, uv_now(&world.loop));
    }
    /* The middle, the oldest, the newest. */
    tcp_list_leave(world.tcp, &world.conns[3]);
    is_order("2014");
    tcp_list_leave(world.tcp, &world.conns[2]);
    is_order("014");
    tcp_list_leave(world.tcp, &world.conns[4]);
    is_order("01");
}

static void a_connection_leaves_with_its_slot_and_its_place_at_its_client(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CONNS; i++)
        join(i);
    assert_int_equal(tcp_clients_count(world.tcp, &world.conns[0].address), 3);
    world.conns[2].is_leaving = true;
    world.tcp->leaving_count = 1;
    tcp_list_leave(world.tcp, &world.conns[4]);
    assert_int_equal(world.share.used, CONNS - 1);
    assert_int_equal(world.tcp->leaving_count, 1);
    assert_int_equal(tcp_clients_count(world.tcp, &world.conns[0].address), 2);
    tcp_list_leave(world.tcp, &world.conns[2]);
    assert_int_equal(world.tcp->leaving_count, 0);
    assert_int_equal(world.share.used, CONNS - 2);
}

static void the_timer_runs_while_there_is_somebody_to_look_at(void **state)
{
    (void)state;
    assert_false(is_sweeping());
    join(0);
    assert_true(is_sweeping());
    assert_int_equal(uv_timer_get_repeat(&world.tcp->sweep), 250);
    uint64_t due = uv_timer_get_due_in(&world.tcp->sweep);
    usleep(20000);
    uv_update_time(&world.loop);
    join(1); /* does not put it off */
    assert_true(uv_timer_get_due_in(&world.tcp->sweep) < due);
    tcp_list_leave(world.tcp, &world.conns[0]);
    assert_true(is_sweeping());
    tcp_list_leave(world.tcp, &world.conns[1]);
    assert_false(is_sweeping());
    /* Or a listener that rests. */
    world.tcp->is_starved = true;
    tcp_list_sweep(world.tcp);
    tcp_list_stop_sweep(world.tcp);
    assert_true(is_sweeping());
    world.tcp->is_starved = false;
    tcp_list_stop_sweep(world.tcp);
    assert_false(is_sweeping());
    assert_false(uv_is_closing((uv_handle_t *)&world.tcp->sweep));
}

/* When stopping somebody waits for the end: it looks more often, and then goes for good. */
static void at_the_end_the_timer_is_quicker_and_closes(void **state)
{
    (void)state;
    join(0);
    world.tcp->is_stopping = true;
    tcp_list_sweep(world.tcp);
    assert_int_equal(uv_timer_get_repeat(&world.tcp->sweep), 20);
    tcp_list_stop_sweep(world.tcp);
    assert_false(uv_is_closing((uv_handle_t *)&world.tcp->sweep));
    tcp_list_leave(world.tcp, &world.conns[0]);
    assert_true(uv_is_closing((uv_handle_t *)&world.tcp->sweep));
    assert_true(uv_is_closing((uv_handle_t *)&world.tcp->busy));
    tcp_list_stop_sweep(world.tcp); /* again does no harm */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_got_on_last_is_the_newest),
        TEST(a_connection_leaves_with_its_slot_and_its_place_at_its_client),
        TEST(the_timer_runs_while_there_is_somebody_to_look_at),
        TEST(at_the_end_the_timer_is_quicker_and_closes),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
