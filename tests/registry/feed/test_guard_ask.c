#include "registry/feed/guard_ask.h"
#include "support/fake_etcd.h"

#define WAITERS 100
#define TTL_S   30

static struct guard_ask *ask;
static struct guard_waiter waiters[WAITERS];
static unsigned alive, over, answered;

static void on_answer(void *arg, struct guard_waiter *waiter, bool is_alive)
{
    assert_ptr_equal(arg, &ask);
    assert_null(waiter->lease);
    alive += is_alive;
    over += !is_alive;
}

static void on_answered(void *arg)
{
    assert_ptr_equal(arg, &ask);
    answered++;
}

static int open_ask(void **state)
{
    static const struct guard_ask_events events = {on_answer, on_answered};
    (void)state;
    fake_reset();
    memset(waiters, 0, sizeof(waiters));
    alive = over = answered = 0;
    assert_int_equal(guard_ask_new(fake_etcd(), &events, &ask, &ask), STATUS_OK);
    return 0;
}

static int close_ask(void **state)
{
    (void)state;
    guard_ask_free(ask);
    fake_close();
    return 0;
}

static void add(unsigned first, unsigned count, int64_t lease)
{
    for (unsigned i = first; i < first + count; i++)
        assert_int_equal(guard_ask_add(ask, lease ? lease : 100 + i, fake.now_ms, &waiters[i]),
                         STATUS_OK);
}

static void run(void)
{
    guard_ask_run(ask, fake.now_ms);
}

static void a_lease_is_asked_for_once_for_all_who_wait(void **state)
{
    (void)state;
    fake_grant(7, TTL_S);
    add(0, 50, 7);
    add(50, 50, 8);
    run();
    fake_settle();
    assert_int_equal(alive, 50);
    assert_int_equal(over, 50);
    assert_int_equal(answered, 2);
    assert_int_equal(fake.counts[FAKE_TIME_LEFT], 2);
}

static void few_are_asked_for_at_a_time(void **state)
{
    (void)state;
    add(0, WAITERS, 0);
    run();
    run();
    assert_int_equal(fake.request_count, GUARD_ASK_MAX);
    fake_settle();
    assert_int_equal(over, WAITERS);
    assert_int_equal(fake.counts[FAKE_TIME_LEFT], WAITERS);
}

/* Of a lease with less than a second left nobody has been heard for long. */
static void a_lease_that_is_about_to_be_revoked_is_over(void **state)
{
    (void)state;
    fake_grant(7, 1);
    fake_grant(8, 2);
    fake.now_ms += 1;
    add(0, 1, 7);
    add(1, 1, 8);
    run();
    fake_settle();
    assert_int_equal(over, 1);
    assert_int_equal(alive, 1);
}

static void who_comes_after_the_question_gets_an_answer_of_his_own(void **state)
{
    (void)state;
    fake_grant(7, TTL_S);
    add(0, 1, 7);
    run();
    add(1, 1, 7);
    assert_true(fake_turn(0));
    assert_int_equal(alive, 1);
    fake_forget_lease(7);
    fake_settle();
    assert_int_equal(alive, 1);
    assert_int_equal(over, 1);
}

static void a_lease_that_is_over_stays_so_for_those_who_come_late(void **state)
{
    (void)state;
    add(0, 1, 7);
    run();
    add(1, 1, 7);
    fake_settle();
    assert_int_equal(over, 2);
    assert_int_equal(fake.counts[FAKE_TIME_LEFT], 1);
}

static void without_any_answer_for_long_there_is_none(void **state)
{
    (void)state;
    fake.is_mute = true;
    add(0, WAITERS, 0);
    run();
    fake_settle();
    fake.now_ms += GUARD_ASK_TIMEOUT_MS - 1;
    run();
    assert_int_equal(over, 0);
    fake.now_ms += 1;
    run();
    assert_int_equal(over, WAITERS);
}

/* A slow etcd is not one that does not answer. */
static void each_answer_gives_those_that_wait_more_time(void **state)
{
    (void)state;
    fake_grant(100, TTL_S);
    fake_grant(101, TTL_S);
    add(0, 2, 0);
    run();
    fake.now_ms += GUARD_ASK_TIMEOUT_MS - 1;
    run();
    assert_true(fake_turn(0));
    assert_int_equal(alive, 1);
    fake.now_ms += 2;
    run();
    assert_int_equal(over, 0);
    fake_settle();
    assert_int_equal(alive, 2);
}

static void an_answer_that_comes_too_late_is_for_nobody(void **state)
{
    (void)state;
    fake_grant(7, TTL_S);
    fake.is_mute = true;
    add(0, 1, 7);
    run();
    fake_settle();
    fake.now_ms += GUARD_ASK_TIMEOUT_MS;
    run();
    assert_int_equal(over, 1);
    fake_close();
    assert_int_equal(alive + over, 1);
}

static void who_waits_no_more_gets_none(void **state)
{
    (void)state;
    add(0, 3, 0);
    guard_ask_cancel(&waiters[0]);
    guard_ask_cancel(&waiters[0]);
    run();
    guard_ask_cancel(&waiters[1]);
    fake_settle();
    assert_int_equal(over, 1);
    assert_int_equal(fake.counts[FAKE_TIME_LEFT], 2); /* the first was never asked for */
}

static void a_request_that_is_refused_at_once_is_no_answer(void **state)
{
    (void)state;
    fake.fails_at_once = true;
    add(0, WAITERS, 0);
    run();
    assert_int_equal(over, WAITERS);
    assert_int_equal(fake.request_count, 0);
}

static void what_is_under_way_may_end_after_it_is_freed(void **state)
{
    (void)state;
    add(0, 20, 0);
    run();
    guard_ask_free(ask);
    ask = NULL;
    fake_settle();
    assert_int_equal(over, 0);
    assert_null(waiters[0].lease);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ask, close_ask)
    const struct CMUnitTest tests[] = {
        TEST(a_lease_is_asked_for_once_for_all_who_wait),
        TEST(few_are_asked_for_at_a_time),
        TEST(a_lease_that_is_about_to_be_revoked_is_over),
        TEST(who_comes_after_the_question_gets_an_answer_of_his_own),
        TEST(a_lease_that_is_over_stays_so_for_those_who_come_late),
        TEST(without_any_answer_for_long_there_is_none),
        TEST(each_answer_gives_those_that_wait_more_time),
        TEST(an_answer_that_comes_too_late_is_for_nobody),
        TEST(who_waits_no_more_gets_none),
        TEST(a_request_that_is_refused_at_once_is_no_answer),
        TEST(what_is_under_way_may_end_after_it_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
