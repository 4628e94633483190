#include "registry/feed/guard_state.h"
#include "support/fake_etcd.h"
#include "support/guard_world.h"

static void what_expires_all_at_once_is_held_until_its_hold_ends(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},  {20000, EXPIRE, 0, 20}, {20001, SHOWN, 0, 20}, {20001, HELD, 0, 20},
        {79900, SHOWN, 0, 20}, {81000, SHOWN, 0, 0},   {81000, HELD, 0, 0},   {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
    assert_int_equal(guard_world_counts().holds, 1);
    assert_int_equal(guard_world_counts().expired, 20);
    assert_int_equal(guard_world_counts().released, 20);
    assert_string_equal(
        guard_world.log,
        "2 guard: 17 of 20 instances of a have expired within 10 s: they are held for "
        "60 s each, or "
        "until they are back; do they reach etcd?\n"
        "1 guard: no instance of a is held any more: 0 came back, 20 were let go\n");
}

static void what_is_deleted_on_purpose_goes_at_once(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20}, {20000, DELETE, 0, 20}, {20001, SHOWN, 0, 0},
        {20001, HELD, 0, 0},  {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
    assert_int_equal(guard_world_counts().deleted, 20);
    assert_string_equal(guard_world.log, "");
}

static void what_is_deleted_among_those_that_expire_goes_and_they_are_held(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},  {20000, EXPIRE, 0, 17}, {20001, HELD, 0, 17}, {20500, DELETE, 17, 2},
        {20501, SHOWN, 0, 18}, {20501, HELD, 0, 17},   {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
}

/* 16 of 20 are not more than 80 %. */
static void what_expires_below_the_share_goes_at_once(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},
        {20000, EXPIRE, 0, 16},
        {20001, SHOWN, 0, 4},
        {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
    assert_int_equal(guard_world_asked(), 0);
}

static void four_are_no_mass(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 4},
        {20000, EXPIRE, 0, 4},
        {20001, SHOWN, 0, 0},
        {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
    assert_int_equal(guard_world_asked(), 0);
}

static void five_of_five_are(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 5}, {20000, EXPIRE, 0, 5}, {20001, SHOWN, 0, 5},
        {20001, HELD, 0, 5}, {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
}

/* The seventeenth comes when the first has been gone for 10 s, and then for longer. */
static void the_window_is_ten_seconds(void **state)
{
    static const struct guard_world_row within[] = {
        {0, REGISTER, 0, 20}, {20000, EXPIRE, 0, 1}, {30000, EXPIRE, 1, 16},
        {30001, HELD, 0, 17}, {0, END, 0, 0},
    };
    static const struct guard_world_row beyond[] = {
        {0, REGISTER, 0, 21}, {20000, EXPIRE, 0, 1}, {30260, EXPIRE, 1, 16},
        {30261, HELD, 0, 0},  {30261, SHOWN, 0, 4},  {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(within);
    guard_world_close();
    guard_world_setup(NULL);
    guard_world_play(beyond);
}

/* What was registered within the window does not count among those that there were when it began; what was before the
 * first load is not known. */
static void the_share_is_of_those_that_there_were_when_the_window_began(void **state)
{
    static const struct guard_world_row grown[] = {
        {0, REGISTER, 0, 20},   {20000, REGISTER, 20, 100},
        {25000, EXPIRE, 0, 17}, {25001, HELD, 0, 17},
        {0, END, 0, 0},
    };
    static const struct guard_world_row shrunk[] = {
        {0, REGISTER, 0, 100}, {20000, DELETE, 0, 90}, {25000, EXPIRE, 90, 10},
        {25001, SHOWN, 0, 0},  {25001, HELD, 0, 0},    {0, END, 0, 0},
    };
    static const struct guard_world_row young[] = {
        {0, REGISTER, 0, 20},
        {2000, EXPIRE, 0, 17},
        {2001, HELD, 0, 17},
        {0, END, 0, 0},
    };
    static const struct guard_world_row bare[] = {
        /* those without a lease count as instances, too */
        {0, REGISTER, 0, 20}, {0, BARE, 20, 5},    {20000, EXPIRE, 0, 20},
        {20001, SHOWN, 0, 5}, {20001, HELD, 0, 0}, {0, END, 0, 0},
    };
    static const struct guard_world_row *const all[] = {grown, shrunk, young, bare};
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        guard_world_play(all[i]);
        guard_world_close();
        guard_world_setup(NULL);
    }
}

static void held_ones_count_as_instances(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},  {20000, EXPIRE, 0, 20}, {40000, REGISTER, 0, 5},
        {55000, EXPIRE, 0, 5}, {55001, SHOWN, 0, 15},  {55001, HELD, 0, 15},
        {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
}

/* Not asked again and again: after a while without any answer it is none. */
static void no_answer_counts_as_expired(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 30},  {20000, MUTE, 0, 1},  {20000, DELETE, 0, 30},
        {20001, SHOWN, 0, 30}, {20001, HELD, 0, 0},  {26000, SHOWN, 0, 30},
        {26000, HELD, 0, 30},  {81000, SHOWN, 0, 0}, {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
}

static void a_refused_answer_counts_as_expired(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 30}, {20000, DELETE, 0, 30}, {20001, SHOWN, 0, 30},
        {20001, HELD, 0, 30}, {0, END, 0, 0},
    };
    (void)state;
    guard_world_register(0, 0, 30);
    guard_world_load();
    fake_run_for(20000);
    fake.away = STATUS_DENIED;
    guard_world_play(rows + 1);
    fake.away = STATUS_OK;
}

/* The questions of before are still under way then, and get no answer. */
static void what_is_back_before_the_answer_is_as_if_it_had_not_gone(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},     {20000, MUTE, 0, 1},    {20000, EXPIRE, 0, 20},
        {20100, REGISTER, 0, 20}, {20101, SHOWN, 0, 20},  {20101, HELD, 0, 0},
        {30000, MUTE, 0, 0},      {31000, EXPIRE, 0, 20}, {37000, HELD, 0, 20},
        {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
}

/* Some back, and the others judged though nobody is asked any more. */
static void part_of_them_back_before_the_answer_frees_the_rest(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},     {20000, MUTE, 0, 1},   {20000, EXPIRE, 0, 20},
        {20100, REGISTER, 0, 10}, {21000, SHOWN, 0, 10}, {40000, HELD, 0, 0},
        {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
}

/* In one group nothing of them is committed as gone. */
static void what_shares_leases_is_asked_for_once_a_lease_and_does_not_flap(void **state)
{
    (void)state;
    guard_world.is_sharing = true;
    guard_world_register(0, 0, 5000);
    guard_world_load();
    fake_run_for(20000);
    guard_world_expire(0, 0, 5000);
    assert_int_equal(guard_world.removes, 0);
    fake_settle();
    assert_int_equal(guard_world.removes, 0);
    assert_int_equal(guard_world_shown_short(0), 5000);
    assert_int_equal(guard_world_asked(), 5);
    fake_run_for(GUARD_WORLD_HOLD_MS + 500);
    assert_int_equal(guard_world_shown(0), 0);
}

static void five_thousand_with_a_lease_each_are_held(void **state)
{
    (void)state;
    guard_world_register(0, 0, 5000);
    guard_world_load();
    fake_run_for(20000);
    for (unsigned i = 0; i < 5000; i += 100) { /* as fast as etcd expires them */
        guard_world_expire(0, i, 100);
        fake_run_for(100);
    }
    assert_int_equal(guard_world_shown(0), 5000);
    assert_int_equal(guard_world_counts().held, 5000);
    assert_int_equal(guard_world_asked(), 5000);
    guard_world_register(0, 0, 2000);
    assert_int_equal(guard_world_counts().held, 3000);
    fake_run_for(GUARD_WORLD_HOLD_MS);
    assert_int_equal(guard_world_shown(0), 2000);
}

static void five_thousand_that_are_deleted_go_at_once(void **state)
{
    (void)state;
    guard_world_register(0, 0, 5000);
    guard_world_load();
    fake_run_for(20000);
    for (unsigned i = 0; i < 5000; i += 100) {
        guard_world_delete(0, i, 100);
        fake_run_for(10);
        assert_int_equal(guard_world_shown(0), 5000 - i - 100);
    }
    assert_int_equal(guard_world_counts().held, 0);
}

/* A key of a lease that lives is deleted on purpose, whatever becomes of others. */
static void a_deleted_key_of_a_lease_that_lives_goes(void **state)
{
    (void)state;
    guard_world.is_sharing = true;
    guard_world_register(0, 0, 2000);
    guard_world_load();
    fake_run_for(20000);
    guard_world_delete(0, 0, 1700);
    fake_settle();
    assert_int_equal(guard_world_shown(0), 300);
    guard_world_expire(0, 1700, 300);
    fake_settle();
    assert_int_equal(guard_world_shown(0), 0); /* 300 of 2,000 */
}

/* The answer for the first half says nothing about a lease that is over by now. */
static void what_goes_after_the_question_is_asked_for_again(void **state)
{
    (void)state;
    guard_world.is_sharing = true;
    guard_world_register(0, 0, 1000);
    guard_world_load();
    fake_run_for(20000);
    guard_world_delete(0, 0, 850); /* the question is under way, */
    assert_int_equal(fake.request_count, 1);
    guard_world_delete(0, 850, 150);
    fake_settle();
    assert_int_equal(guard_world_asked(), 2);
    assert_int_equal(guard_world_shown(0), 0);
}

int main(void)
{
#define TEST GUARD_WORLD_TEST
    const struct CMUnitTest tests[] = {
        TEST(what_expires_all_at_once_is_held_until_its_hold_ends),
        TEST(what_is_deleted_on_purpose_goes_at_once),
        TEST(what_is_deleted_among_those_that_expire_goes_and_they_are_held),
        TEST(what_expires_below_the_share_goes_at_once),
        TEST(four_are_no_mass),
        TEST(five_of_five_are),
        TEST(the_window_is_ten_seconds),
        TEST(the_share_is_of_those_that_there_were_when_the_window_began),
        TEST(held_ones_count_as_instances),
        TEST(no_answer_counts_as_expired),
        TEST(a_refused_answer_counts_as_expired),
        TEST(what_is_back_before_the_answer_is_as_if_it_had_not_gone),
        TEST(part_of_them_back_before_the_answer_frees_the_rest),
        TEST(what_shares_leases_is_asked_for_once_a_lease_and_does_not_flap),
        TEST(five_thousand_with_a_lease_each_are_held),
        TEST(five_thousand_that_are_deleted_go_at_once),
        TEST(a_deleted_key_of_a_lease_that_lives_goes),
        TEST(what_goes_after_the_question_is_asked_for_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
