/* A keeper over a fake etcd and a fake clock: what it does at which beat, and what it says. */
#include "registry/keeper.h"
#include "support/fake_etcd.h"

#include <stdlib.h>

#define TTL_S     30
#define BEAT_MS   10000
#define DRAINED   "{\"location\":\"h:1\",\"state\":\"draining\"}"
#define OTHER_ID  4711
#define EVENTS    64
#define KEPT_TEXT "h:1"

/* The events in their order, a letter each. */
static const char letters[] = {
    [KEEPER_REGISTERED] = 'R',
    [KEEPER_REFRESHED] = '.',
    [KEEPER_UPDATED] = 'u',
    [KEEPER_VANISHED] = 'v',
    [KEEPER_CHANGED] = 'c',
    [KEEPER_DRAINING] = 'd',
    [KEEPER_UP] = 'p',
    [KEEPER_LEASE_LOST] = 'l',
    [KEEPER_OUTAGE] = 'o',
    [KEEPER_RECOVERED] = 'b',
    [KEEPER_REFUSED] = 'X',
    [KEEPER_UNREGISTERED] = 'U',
    [KEEPER_ALREADY_UNREGISTERED] = 'A',
    [KEEPER_LEFT_ALONE] = 'L',
    [KEEPER_NOT_UNREGISTERED] = 'N',
    [KEEPER_ENDED] = '|',
};

struct test {
    struct keeper *keeper;
    char events[EVENTS + 1];
    size_t count;
    enum keeper_event free_at; /* freed in this event; KEEPER_ENDED + 1: in none */
    enum status status;        /* of the last event that has one */
    struct detail why;
};

static void on_event(void *arg, enum keeper_event event, enum status status,
                     const struct detail *why)
{
    struct test *test = arg;
    assert_true(test->count < EVENTS);
    assert_non_null(test->keeper);
    test->events[test->count++] = letters[event];
    test->events[test->count] = '\0';
    if (status != STATUS_OK) {
        test->status = status;
        test->why = *why;
    } else {
        assert_string_equal(why->text, "");
    }
    if (event == test->free_at) {
        keeper_free(test->keeper);
        test->keeper = NULL;
    }
}

static void start_with(struct test *test, uint64_t ttl_s, struct kept_lease *lease)
{
    const struct keeper_options options = {.etcd = fake_etcd(),
                                           .loop = fake_loop(),
                                           .key = "k",
                                           .key_len = 1,
                                           .value = KEPT_TEXT,
                                           .value_len = strlen(KEPT_TEXT),
                                           .lease = lease,
                                           .ttl_s = ttl_s,
                                           .refresh_ms = BEAT_MS,
                                           .on_event = on_event,
                                           .arg = test};
    *test = (struct test){.free_at = KEEPER_ENDED + 1};
    assert_int_equal(keeper_new(&options, &test->keeper), STATUS_OK);
    assert_string_equal(test->events, "");
}

static void start(struct test *test, uint64_t ttl_s)
{
    fake_reset();
    start_with(test, ttl_s, NULL);
}

/* Registered, and what was said until then is forgotten. */
static void start_registered(struct test *test, uint64_t ttl_s)
{
    start(test, ttl_s);
    fake_settle();
    assert_string_equal(test->events, "R");
    test->count = 0;
    test->events[0] = '\0';
}

#define SAID(test, expected)                                                                       \
    do {                                                                                           \
        assert_string_equal((test)->events, expected);                                             \
        (test)->count = 0;                                                                         \
        (test)->events[0] = '\0';                                                                  \
    } while (0)

static void stop(struct test *test)
{
    keeper_free(test->keeper);
    test->keeper = NULL;
    fake_close();
    assert_int_equal(fake.timer_count, 0);
}

static void it_registers_under_a_new_lease_and_keeps_that_alive(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    assert_false(keeper_is_registered(test.keeper));
    fake_settle();
    SAID(&test, "R");
    assert_true(keeper_is_registered(test.keeper));
    assert_true(fake_has(KEPT_TEXT) && lease_id_is_for(fake.lease, TTL_S));
    fake_run_for(10 * BEAT_MS);
    SAID(&test, "..........");
    assert_int_equal(fake.counts[FAKE_GRANT], 1);
    assert_int_equal(fake.counts[FAKE_KEEP_ALIVE], 10);
    assert_int_equal(fake.puts, 1);
    assert_true(fake_has_lease(fake.lease));
    stop(&test);
}

static void without_a_lease_each_beat_writes(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, 0);
    assert_true(fake_has(KEPT_TEXT) && fake.lease == 0);
    fake_run_for(3 * BEAT_MS);
    SAID(&test, "...");
    assert_int_equal(fake.puts, 4);
    stop(&test);
}

static void what_is_there_when_it_comes_is_taken_over_without_a_word(void **state)
{
    static const char *const values[] = {"other:9", KEPT_TEXT, DRAINED, "", "h:1\n"};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(values) / sizeof(values[0]); i++) {
        struct test test;
        uint64_t ttl_s = i % 2 ? TTL_S : 0;
        start(&test, ttl_s);
        fake_put(values[i / 2], OTHER_ID);
        fake_settle();
        SAID(&test, "R");
        assert_true(fake_has(KEPT_TEXT) && lease_id_ttl_s(fake.lease) == ttl_s);
        stop(&test);
    }
}

static void what_vanished_is_put_back(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    int64_t lease = fake.lease;
    fake_delete();
    fake_run_for(BEAT_MS);
    SAID(&test, "v.");
    assert_true(fake_has(KEPT_TEXT) && fake.lease == lease);
    fake_run_for(BEAT_MS);
    SAID(&test, ".");
    stop(&test);
}

/* Another lease is another's, even with a state that could be adopted. */
static void what_others_changed_is_put_back_and_said(void **state)
{
    static const struct {
        const char *value;
        bool is_own_lease;
    } rows[] = {{"other:9", true}, {"other:9", false}, {KEPT_TEXT, false},
                {DRAINED, false},  {"", true},         {"{\"location\":\"h:2\"}", true}};
    static const int64_t others[] = {OTHER_ID, 0};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct test test;
        start_registered(&test, TTL_S);
        int64_t lease = fake.lease;
        fake_put(rows[i / 2].value, rows[i / 2].is_own_lease ? lease : others[i % 2]);
        fake_run_for(BEAT_MS);
        SAID(&test, "c.");
        assert_true(fake_has(KEPT_TEXT) && fake.lease == lease);
        stop(&test);
    }
}

/* What is given up within a beat begins anew with the next. */
static void it_is_put_back_however_often(void **state)
{
    (void)state;
    for (uint64_t ttl_s = 0; ttl_s <= TTL_S; ttl_s += TTL_S) {
        struct test test;
        start_registered(&test, ttl_s);
        for (unsigned i = 0; i < 10; i++) {
            fake_put("other:9", fake.lease);
            fake_run_for(BEAT_MS);
            SAID(&test, "c.");
        }
        stop(&test);
    }
}

static void a_changed_state_is_adopted_and_lasts(void **state)
{
    (void)state;
    for (uint64_t ttl_s = 0; ttl_s <= TTL_S; ttl_s += TTL_S) {
        struct test test;
        start_registered(&test, ttl_s);
        fake_put(DRAINED, fake.lease);
        unsigned puts = fake.puts;
        fake_run_for(BEAT_MS);
        SAID(&test, "d.");
        assert_int_equal(fake.puts, puts);
        fake_delete();
        fake_run_for(BEAT_MS);
        SAID(&test, "v.");
        assert_true(fake_has(DRAINED));
        fake_put(KEPT_TEXT, fake.lease);
        fake_run_for(BEAT_MS);
        SAID(&test, "p.");
        assert_true(fake_has(KEPT_TEXT));
        stop(&test);
    }
}

static void a_line_end_behind_the_value_is_no_change(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_put(KEPT_TEXT "\n", fake.lease);
    fake_run_for(BEAT_MS);
    SAID(&test, ".");
    stop(&test);
}

static void a_lost_lease_is_granted_anew(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    int64_t lost = fake.lease;
    fake_forget_lease(lost);
    fake_delete();
    fake_run_for(BEAT_MS);
    SAID(&test, "lv.");
    assert_true(fake_has(KEPT_TEXT) && fake.lease != lost && fake_has_lease(fake.lease));
    stop(&test);
}

/* The entry may stand a little longer than its lease. */
static void what_stands_under_the_lost_lease_is_ours(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    int64_t lost = fake.lease;
    fake_put(KEPT_TEXT, lost); /* as an answer that was lost leaves it: at a revision not seen */
    fake_forget_lease(lost);
    fake_run_for(BEAT_MS);
    SAID(&test, "l.");
    assert_true(fake_has(KEPT_TEXT) && fake.lease != lost);
    stop(&test);
}

static void what_others_left_under_the_lost_lease_is_not(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_put("other:9", fake.lease);
    fake_forget_lease(fake.lease);
    fake_run_for(BEAT_MS);
    SAID(&test, "lc.");
    stop(&test);
}

/* Nor does it make another's lease ours. */
static void what_others_write_after_a_lease_was_lost_is_theirs(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_forget_lease(fake.lease);
    fake_run_for(BEAT_MS);
    SAID(&test, "l.");
    fake_put(KEPT_TEXT, OTHER_ID);
    fake_run_for(BEAT_MS);
    SAID(&test, "c.");
    stop(&test);
}

/* Between the renewal and the write. etcd has answered: it is not away. */
static void a_lease_that_goes_within_a_beat_is_granted_anew_at_once(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    fake_end_next(FAKE_DONE, STATUS_OK);
    fake_end_next(FAKE_FAILED, STATUS_NOT_FOUND);
    fake_settle();
    SAID(&test, "lR");
    assert_int_equal(fake.counts[FAKE_GRANT], 2);

    fake_run_for(BEAT_MS - 1);
    SAID(&test, "");
    assert_int_equal(keeper_set_value(test.keeper, "h:2", 3, NULL), STATUS_OK);
    fake_turn(1); /* the beat */
    int64_t lost = fake.lease;
    fake_forget_lease(lost);
    fake_delete();
    fake_settle();
    SAID(&test, "lvu");
    assert_true(fake_has("h:2") && fake.lease != lost && fake_has_lease(fake.lease));
    stop(&test);
}

/* And not again and again in one beat. */
static void leases_that_go_all_the_time_are_an_outage(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    for (unsigned i = 0; i < 4; i++) {
        fake_end_next(FAKE_DONE, STATUS_OK);
        fake_end_next(FAKE_FAILED, STATUS_NOT_FOUND);
    }
    fake_settle();
    SAID(&test, "lllo");
    assert_int_equal(test.status, STATUS_NOT_FOUND);
    fake_run_for(2000);
    SAID(&test, "Rb");
    stop(&test);
}

/* Nothing is left to be deleted, and no other lease is wanted. */
static void a_lease_that_goes_while_it_leaves_is_not_granted_anew(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    fake_end_next(FAKE_DONE, STATUS_OK);
    fake_end_next(FAKE_FAILED, STATUS_NOT_FOUND);
    fake_turn(0); /* the timer */
    fake_turn(0); /* the grant */
    keeper_stop(test.keeper, 1000);
    fake_settle();
    SAID(&test, "A|");
    assert_int_equal(fake.counts[FAKE_GRANT], 1);
    stop(&test);
}

/* More than its refresh it may never wait, with the lease's end before its eyes. */
static void an_outage_is_said_once_and_retried_until_it_is_over(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    int64_t lease = fake.lease;
    fake.away = STATUS_UNREACHABLE;
    fake_run_for(BEAT_MS + 60000);
    SAID(&test, "o");
    assert_int_equal(test.status, STATUS_UNREACHABLE);
    assert_string_equal(test.why.text, fake_away.text);
    fake.away = STATUS_NO_SPACE;
    fake_run_for(5000);
    SAID(&test, "o");
    fake.away = STATUS_OK;
    fake.leases[0].expires_ms = UINT64_MAX; /* it had no time to run out: etcd stood still */
    fake_run_for(1500);
    SAID(&test, ".b");
    assert_int_equal(fake.lease, lease);
    fake_run_for(BEAT_MS);
    SAID(&test, ".");
    stop(&test);
}

static void what_is_refused_before_anything_was_registered_ends_it(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    fake_end_next(FAKE_FAILED, STATUS_DENIED);
    fake_run_for(BEAT_MS);
    SAID(&test, "X|");
    assert_int_equal(test.status, STATUS_DENIED);
    keeper_stop(test.keeper, 1000);
    fake_run_for(BEAT_MS);
    SAID(&test, "");
    stop(&test);
}

static void what_is_refused_later_is_an_outage(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_end_next(FAKE_FAILED, STATUS_DENIED);
    fake_run_for(BEAT_MS + 250);
    SAID(&test, "o.b");
    stop(&test);
}

/* The write was done, the answer lost: what is found then is what was written. */
static void a_lost_answer_is_not_written_twice(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    fake_end_next(FAKE_DONE, STATUS_OK);
    fake_end_next(FAKE_LOST, STATUS_TIMED_OUT);
    fake_run_for(1000);
    SAID(&test, "oRb");
    fake_run_for(3 * BEAT_MS);
    SAID(&test, "...");
    assert_int_equal(fake.puts, 1);
    stop(&test);
}

static void change_again(struct test *test)
{
    test->count = 0;
    fake_put("other:9", OTHER_ID);
}

/* Another process writes between each of our steps: we do not go on so for ever. */
static void a_fight_over_the_entry_is_an_outage(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_run_for(BEAT_MS - 1);
    for (unsigned i = 0; i < 50 && !strchr(test.events, 'o'); i++) {
        change_again(&test);
        fake_turn(1);
    }
    assert_int_equal(test.status, STATUS_CONFLICT);
    stop(&test);
}

static void leaving_deletes_the_entry_and_leaves_the_lease(void **state)
{
    (void)state;
    for (uint64_t ttl_s = 0; ttl_s <= TTL_S; ttl_s += TTL_S) {
        struct test test;
        start_registered(&test, ttl_s);
        int64_t lease = fake.lease;
        keeper_stop(test.keeper, KEEPER_LEAVE_MS);
        keeper_stop(test.keeper, KEEPER_LEAVE_MS);
        SAID(&test, "");
        fake_settle();
        SAID(&test, "U|");
        assert_false(fake.is_there || keeper_is_registered(test.keeper));
        assert_int_equal(fake_has_lease(lease), ttl_s > 0); /* that shows that it was on purpose */
        fake_run_for(10 * BEAT_MS);
        SAID(&test, "");
        assert_false(fake_has_lease(lease));
        assert_int_equal(fake.counts[FAKE_REVOKE], 0);
        stop(&test);
    }
}

static void leaving_finds_that_it_was_deleted(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_delete();
    keeper_stop(test.keeper, KEEPER_LEAVE_MS);
    fake_settle();
    SAID(&test, "A|");
    stop(&test);
}

static void leaving_deletes_what_was_drained_meanwhile(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_put(DRAINED, fake.lease);
    keeper_stop(test.keeper, KEEPER_LEAVE_MS);
    fake_settle();
    SAID(&test, "dU|");
    assert_false(fake.is_there);
    stop(&test);
}

/* Whose answer was lost, and which was found to be there: it was deleted on purpose, too. */
static void leaving_leaves_the_lease_of_a_write_whose_answer_was_lost(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    fake_end_next(FAKE_DONE, STATUS_OK); /* the lease */
    fake_end_next(FAKE_LOST, STATUS_TIMED_OUT);
    fake_settle();
    int64_t lease = fake.lease;
    assert_true(fake.is_there && fake_has_lease(lease));
    keeper_stop(test.keeper, KEEPER_LEAVE_MS);
    fake_settle();
    assert_false(fake.is_there);
    assert_true(fake_has_lease(lease));
    assert_int_equal(fake.counts[FAKE_REVOKE], 0);
    stop(&test);
}

/* It may still come. */
static void leaving_revokes_the_lease_of_a_write_that_is_not_to_be_seen(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    fake_end_next(FAKE_DONE, STATUS_OK);
    fake_end_next(FAKE_FAILED, STATUS_TIMED_OUT);
    fake_settle();
    assert_false(fake.is_there);
    keeper_stop(test.keeper, KEEPER_LEAVE_MS);
    fake_settle();
    assert_int_equal(fake.counts[FAKE_REVOKE], 1);
    stop(&test);
}

/* And does not revoke a lease under which others have put it. */
static void leaving_leaves_what_others_have_put_there(void **state)
{
    static const struct {
        const char *value;
        bool is_own_lease;
    } rows[] = {{"other:9", true}, {"other:9", false}, {KEPT_TEXT, false}, {DRAINED, false}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct test test;
        start_registered(&test, TTL_S);
        int64_t lease = fake.lease;
        fake_put(rows[i].value, rows[i].is_own_lease ? lease : OTHER_ID);
        keeper_stop(test.keeper, KEEPER_LEAVE_MS);
        fake_settle();
        SAID(&test, "L|");
        assert_true(fake_has(rows[i].value));
        assert_true(fake_has_lease(lease));
        stop(&test);
    }
}

/* Without a lease the same value may be somebody else's, unless an answer of ours was lost. */
static void leaving_without_a_lease_leaves_what_was_written_again(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, 0);
    fake_put(KEPT_TEXT, 0);
    keeper_stop(test.keeper, KEEPER_LEAVE_MS);
    fake_settle();
    SAID(&test, "L|");
    stop(&test);

    start_registered(&test, 0);
    fake_end_next(FAKE_LOST, STATUS_TIMED_OUT);
    fake_run_for(BEAT_MS);
    keeper_stop(test.keeper, KEEPER_LEAVE_MS);
    fake_settle();
    SAID(&test, "oU|");
    stop(&test);
}

static void leaving_without_an_answer_ends_in_time(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake.is_mute = true;
    keeper_stop(test.keeper, 3000);
    fake_run_for(2999);
    SAID(&test, "");
    assert_int_equal(fake.muted[0].timeout_ms, 3000);
    fake_run_for(1);
    SAID(&test, "N|");
    assert_int_equal(test.status, STATUS_TIMED_OUT);
    assert_string_equal(test.why.text, "no answer in time");
    stop(&test);
}

/* The reason is that of the outage. */
static void leaving_in_an_outage_says_why(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake.away = STATUS_UNREACHABLE;
    fake_run_for(BEAT_MS + 100);
    keeper_stop(test.keeper, 3000);
    fake_run_for(10);
    SAID(&test, "oN|");
    assert_string_equal(test.why.text, fake_away.text);
    stop(&test);
}

static void leaving_with_nothing_registered_has_nothing_to_say(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    fake.is_mute = true;
    fake_settle();
    keeper_stop(test.keeper, 1000);
    fake_run_for(1000);
    SAID(&test, "|");
    stop(&test);
}

/* The write was done, the answer lost, and nobody answers any more. */
static void leaving_with_a_write_of_unknown_end_says_that_it_may_stand(void **state)
{
    static const enum fake_end ends[] = {FAKE_LOST, FAKE_MUTE};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(ends) / sizeof(ends[0]); i++) {
        struct test test;
        uint64_t ttl_s = i % 2 ? TTL_S : 0;
        start(&test, ttl_s);
        fake_end_next(FAKE_DONE, STATUS_OK); /* the grant, or what is there */
        fake_end_next(ends[i / 2], STATUS_TIMED_OUT);
        fake_settle();
        assert_true(keeper_may_be_registered(test.keeper));
        assert_false(keeper_is_registered(test.keeper));
        fake.away = STATUS_UNREACHABLE;
        keeper_stop(test.keeper, 1000);
        fake_run_for(1000);
        SAID(&test, ends[i / 2] == FAKE_LOST ? "oN|" : "N|");
        assert_int_equal(fake.is_there, ends[i / 2] == FAKE_LOST);
        stop(&test);
    }
}

/* Nothing is said of what may stand there, but that etcd refuses more; and what may stand goes. */
static void a_refusal_after_a_write_of_unknown_end_is_an_outage(void **state)
{
    (void)state;
    struct test test;
    start(&test, 0);
    fake_end_next(FAKE_DONE, STATUS_OK); /* what is there */
    fake_end_next(FAKE_LOST, STATUS_TIMED_OUT);
    for (unsigned i = 0; i < 3; i++)
        fake_end_next(FAKE_FAILED, STATUS_DENIED);
    fake_run_for(4000); /* four back-offs take up to 3.3 s */
    assert_true(fake.is_there);
    keeper_stop(test.keeper, 1000);
    fake_run_for(1000);
    SAID(&test, "ooRbU|");
    assert_false(fake.is_there);
    stop(&test);
}

/* Etcd has said that it was not written. */
static void leaving_after_a_write_that_failed_has_nothing_to_say(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    fake_end_next(FAKE_DONE, STATUS_OK); /* the grant */
    fake_end_next(FAKE_FAILED, STATUS_NO_SPACE);
    fake_settle();
    assert_false(keeper_may_be_registered(test.keeper));
    fake.away = STATUS_UNREACHABLE;
    keeper_stop(test.keeper, 1000);
    fake_run_for(1000);
    SAID(&test, "o|");
    stop(&test);
}

/* What is answered is known, as it is deleted: here the lease alone is left. */
static void leaving_with_nothing_left_but_the_lease_has_no_more_to_say(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_run_for(BEAT_MS);
    keeper_stop(test.keeper, 1000);
    fake_turn(0); /* the timer */
    fake_turn(0); /* the deletion */
    assert_false(keeper_may_be_registered(test.keeper));
    fake.is_mute = true;
    fake_run_for(1000);
    SAID(&test, ".U|");
    stop(&test);
}

/* Lest what it writes comes after the deletion. */
static void leaving_waits_for_the_request_under_way(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    fake_turn(0); /* the timer */
    fake_turn(0); /* the grant */
    keeper_stop(test.keeper, KEEPER_LEAVE_MS);
    fake_settle();
    SAID(&test, "RU|");
    assert_false(fake.is_there);
    stop(&test);
}

/* What that finds is not put back any more. */
static void leaving_amid_a_beat_puts_nothing_back(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_run_for(BEAT_MS - 1);
    fake_turn(1); /* the beat */
    fake_turn(0); /* the renewal */
    fake_put("other:9", OTHER_ID);
    keeper_stop(test.keeper, KEEPER_LEAVE_MS);
    fake_settle();
    SAID(&test, "L|");
    assert_true(fake_has("other:9"));
    stop(&test);
}

/* An answer that comes when it has ended is nobody's any more. */
static void what_comes_after_the_end_is_not_said(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    fake_end_next(FAKE_MUTE, STATUS_OK);
    fake_settle();
    keeper_stop(test.keeper, 1000);
    fake_run_for(1000);
    SAID(&test, "|");
    fake_close();
    SAID(&test, "");
    stop(&test);
}

static void a_new_value_is_written_at_once(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_run_for(100);
    assert_int_equal(keeper_set_value(test.keeper, "h:2", 3, NULL), STATUS_OK);
    SAID(&test, "");
    fake_settle();
    SAID(&test, "u");
    assert_true(fake_has("h:2"));
    fake_delete();
    fake_run_for(BEAT_MS);
    SAID(&test, "v.");
    assert_true(fake_has("h:2"));
    stop(&test);
}

static void a_value_that_is_no_entry_is_refused(void **state)
{
    (void)state;
    struct test test;
    struct detail why = {""};
    start_registered(&test, TTL_S);
    assert_int_equal(keeper_set_value(test.keeper, "h", 1, &why), STATUS_BAD_INPUT);
    assert_true(why.text[0] != '\0');
    fake_run_for(BEAT_MS);
    SAID(&test, ".");
    assert_true(fake_has(KEPT_TEXT));
    stop(&test);
}

/* At whatever step of a beat it comes. */
static void a_value_given_while_another_is_written_is_written_next(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 5; turns++) {
        struct test test;
        start(&test, TTL_S);
        for (unsigned i = 0; i < turns; i++)
            fake_turn(0);
        assert_int_equal(keeper_set_value(test.keeper, "h:2", 3, NULL), STATUS_OK);
        assert_int_equal(keeper_set_value(test.keeper, "h:3", 3, NULL), STATUS_OK);
        fake_settle();
        assert_true(fake_has("h:3"));
        assert_null(strchr(test.events, 'c'));
        fake_run_for(BEAT_MS);
        assert_true(fake_has("h:3"));
        assert_null(strchr(test.events, 'c'));
        stop(&test);
    }
}

static void a_new_value_whose_write_failed_is_written_later(void **state)
{
    (void)state;
    for (enum fake_end end = FAKE_FAILED; end <= FAKE_LOST; end++) {
        struct test test;
        start_registered(&test, TTL_S);
        assert_int_equal(keeper_set_value(test.keeper, "h:2", 3, NULL), STATUS_OK);
        fake_end_next(end, STATUS_TIMED_OUT);
        fake_run_for(1000);
        SAID(&test, "oub");
        assert_true(fake_has("h:2"));
        stop(&test);
    }
}

static void a_new_value_has_the_state_of_the_old_one(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    assert_int_equal(keeper_set_draining(test.keeper, true, NULL), STATUS_OK);
    fake_settle();
    SAID(&test, "u");
    assert_true(fake_has(DRAINED));
    assert_int_equal(keeper_set_draining(test.keeper, true, NULL), STATUS_OK);
    fake_settle();
    SAID(&test, "");
    assert_int_equal(keeper_set_value(test.keeper, "h:2", 3, NULL), STATUS_OK);
    fake_settle();
    SAID(&test, "u");
    assert_true(fake_has("{\"location\":\"h:2\",\"state\":\"draining\"}"));
    assert_int_equal(keeper_set_draining(test.keeper, false, NULL), STATUS_OK);
    fake_settle();
    SAID(&test, "u");
    assert_true(fake_has("h:2"));
    stop(&test);
}

/* It was drained since the last beat: a new value must not undo that. */
static void a_new_value_meets_a_state_that_others_changed(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_put(DRAINED, fake.lease);
    assert_int_equal(keeper_set_value(test.keeper, "h:2", 3, NULL), STATUS_OK);
    fake_settle();
    SAID(&test, "d.u");
    assert_true(fake_has("{\"location\":\"h:2\",\"state\":\"draining\"}"));
    stop(&test);
}

/* Etcd is slow, and every keeper of the lease may be waiting for it. */
static void in_a_long_beat_the_lease_is_renewed_again(void **state)
{
    (void)state;
    struct test test;
    start_registered(&test, TTL_S);
    fake_put("h:9", 0);
    while (fake.counts[FAKE_KEEP_ALIVE] == 0)
        assert_true(fake_turn(BEAT_MS));
    fake.now_ms += BEAT_MS / 2; /* until it is seen what is there */
    fake_settle();
    SAID(&test, "c.");
    assert_int_equal(fake.counts[FAKE_KEEP_ALIVE], 2);
    stop(&test);
}

static void keepers_share_a_lease(void **state)
{
    (void)state;
    struct test tests[2];
    struct kept_lease *lease;
    fake_reset();
    assert_int_equal(kept_lease_new(fake_etcd(), fake_loop(), TTL_S, &lease), STATUS_OK);
    start_with(&tests[0], 0, lease);
    start_with(&tests[1], 0, lease);
    kept_lease_release(lease);
    fake_settle();
    SAID(&tests[0], "R");
    assert_int_equal(fake.counts[FAKE_GRANT], 1);
    fake_run_for(10 * BEAT_MS);
    assert_in_range(fake.counts[FAKE_KEEP_ALIVE], 10, 20);
    int64_t id = fake.lease;
    keeper_stop(tests[0].keeper, KEEPER_LEAVE_MS);
    fake_settle();
    assert_non_null(strstr(tests[0].events, "U|"));
    keeper_free(tests[0].keeper);
    fake_settle();
    assert_true(fake_has_lease(id)); /* the other one's, too */
    keeper_stop(tests[1].keeper, KEEPER_LEAVE_MS);
    fake_run_for(TTL_S * 1000);
    assert_false(fake_has_lease(id)); /* nobody renews it */
    stop(&tests[1]);
}

/* What others do, and etcd, that this event comes. */
static void provoke(struct test *test, enum keeper_event event)
{
    switch (event) {
    case KEEPER_UPDATED:
        assert_int_equal(keeper_set_value(test->keeper, "h:2", 3, NULL), STATUS_OK);
        break;
    case KEEPER_VANISHED:
    case KEEPER_ALREADY_UNREGISTERED:
        fake_delete();
        break;
    case KEEPER_CHANGED:
    case KEEPER_LEFT_ALONE:
        fake_put("other:9", fake.lease);
        break;
    case KEEPER_DRAINING:
        fake_put(DRAINED, fake.lease);
        break;
    case KEEPER_LEASE_LOST:
        fake_forget_lease(fake.lease);
        break;
    case KEEPER_NOT_UNREGISTERED:
        fake.away = STATUS_UNREACHABLE;
        break;
    default:
        break;
    }
}

/* The keeper asks nothing more, and LeakSanitizer says whether all is given back. */
static void free_in(enum keeper_event event)
{
    struct test test;
    start(&test, TTL_S);
    test.free_at = event;
    if (event == KEEPER_REFUSED)
        fake_end_next(FAKE_FAILED, STATUS_DENIED);
    if (event == KEEPER_OUTAGE || event == KEEPER_RECOVERED)
        fake_end_next(FAKE_FAILED, STATUS_UNREACHABLE);
    fake_run_for(2000);
    provoke(&test, event);
    if (test.keeper && event >= KEEPER_UNREGISTERED)
        keeper_stop(test.keeper, 1000);
    fake_run_for(2 * BEAT_MS);
    if (test.keeper || strchr(test.events, letters[event]) != test.events + test.count - 1)
        fail_msg("event %d: %s", (int)event, test.events);
    assert_int_equal(fake.timer_count, 0);
    fake_close();
}

static void it_can_be_freed_in_any_event(void **state)
{
    (void)state;
    for (unsigned event = KEEPER_REGISTERED; event <= KEEPER_ENDED; event++)
        if (event != KEEPER_UP) /* as DRAINING */
            free_in((enum keeper_event)event);
}

static void it_can_be_freed_with_a_request_under_way(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 5; turns++) {
        struct test test;
        start(&test, TTL_S);
        fake.is_mute = turns % 2;
        for (unsigned i = 0; i < turns; i++)
            fake_turn(0);
        keeper_free(test.keeper);
        test.keeper = NULL; /* an event would be noticed */
        fake_settle();
        fake_close();
        assert_int_equal(fake.timer_count, 0);
    }
    keeper_free(NULL);
}

static void a_request_that_fails_at_once_is_an_outage(void **state)
{
    (void)state;
    struct test test;
    start(&test, TTL_S);
    fake.fails_at_once = true;
    fake_run_for(5000);
    SAID(&test, "o");
    assert_int_equal(test.status, STATUS_NO_MEMORY);
    fake.fails_at_once = false;
    fake_run_for(2000);
    SAID(&test, "Rb");
    stop(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_registers_under_a_new_lease_and_keeps_that_alive),
        cmocka_unit_test(without_a_lease_each_beat_writes),
        cmocka_unit_test(what_is_there_when_it_comes_is_taken_over_without_a_word),
        cmocka_unit_test(what_vanished_is_put_back),
        cmocka_unit_test(what_others_changed_is_put_back_and_said),
        cmocka_unit_test(it_is_put_back_however_often),
        cmocka_unit_test(a_changed_state_is_adopted_and_lasts),
        cmocka_unit_test(a_line_end_behind_the_value_is_no_change),
        cmocka_unit_test(a_lost_lease_is_granted_anew),
        cmocka_unit_test(what_stands_under_the_lost_lease_is_ours),
        cmocka_unit_test(what_others_left_under_the_lost_lease_is_not),
        cmocka_unit_test(what_others_write_after_a_lease_was_lost_is_theirs),
        cmocka_unit_test(a_lease_that_goes_within_a_beat_is_granted_anew_at_once),
        cmocka_unit_test(leases_that_go_all_the_time_are_an_outage),
        cmocka_unit_test(a_lease_that_goes_while_it_leaves_is_not_granted_anew),
        cmocka_unit_test(an_outage_is_said_once_and_retried_until_it_is_over),
        cmocka_unit_test(what_is_refused_before_anything_was_registered_ends_it),
        cmocka_unit_test(what_is_refused_later_is_an_outage),
        cmocka_unit_test(a_lost_answer_is_not_written_twice),
        cmocka_unit_test(a_fight_over_the_entry_is_an_outage),
        cmocka_unit_test(leaving_deletes_the_entry_and_leaves_the_lease),
        cmocka_unit_test(leaving_leaves_the_lease_of_a_write_whose_answer_was_lost),
        cmocka_unit_test(leaving_revokes_the_lease_of_a_write_that_is_not_to_be_seen),
        cmocka_unit_test(leaving_finds_that_it_was_deleted),
        cmocka_unit_test(leaving_deletes_what_was_drained_meanwhile),
        cmocka_unit_test(leaving_leaves_what_others_have_put_there),
        cmocka_unit_test(leaving_without_a_lease_leaves_what_was_written_again),
        cmocka_unit_test(leaving_without_an_answer_ends_in_time),
        cmocka_unit_test(leaving_in_an_outage_says_why),
        cmocka_unit_test(leaving_with_nothing_registered_has_nothing_to_say),
        cmocka_unit_test(leaving_with_a_write_of_unknown_end_says_that_it_may_stand),
        cmocka_unit_test(a_refusal_after_a_write_of_unknown_end_is_an_outage),
        cmocka_unit_test(leaving_after_a_write_that_failed_has_nothing_to_say),
        cmocka_unit_test(leaving_with_nothing_left_but_the_lease_has_no_more_to_say),
        cmocka_unit_test(leaving_waits_for_the_request_under_way),
        cmocka_unit_test(leaving_amid_a_beat_puts_nothing_back),
        cmocka_unit_test(what_comes_after_the_end_is_not_said),
        cmocka_unit_test(a_new_value_is_written_at_once),
        cmocka_unit_test(a_value_that_is_no_entry_is_refused),
        cmocka_unit_test(a_value_given_while_another_is_written_is_written_next),
        cmocka_unit_test(a_new_value_whose_write_failed_is_written_later),
        cmocka_unit_test(a_new_value_has_the_state_of_the_old_one),
        cmocka_unit_test(a_new_value_meets_a_state_that_others_changed),
        cmocka_unit_test(in_a_long_beat_the_lease_is_renewed_again),
        cmocka_unit_test(keepers_share_a_lease),
        cmocka_unit_test(it_can_be_freed_in_any_event),
        cmocka_unit_test(it_can_be_freed_with_a_request_under_way),
        cmocka_unit_test(a_request_that_fails_at_once_is_an_outage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
