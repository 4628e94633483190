/* What the ledger lets through, in which order, and what it finds missing. */
#include "registry/etcd/ledger.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

static struct ledger ledger;

static int open_ledger(void **state)
{
    (void)state;
    if (ledger_init(&ledger) != STATUS_OK)
        return -1;
    ledger_reset(&ledger, 10);
    return 0;
}

static int close_ledger(void **state)
{
    (void)state;
    ledger_clear(&ledger);
    return 0;
}

static bool take(const char *key, int64_t revision, enum ledger_source source)
{
    return ledger_take(&ledger, key, strlen(key), revision, source);
}

static void assert_missing(int64_t revision, uint64_t lost, uint64_t unseen)
{
    uint64_t lost_now, unseen_now;
    ledger_compare(&ledger, revision, &lost_now, &unseen_now);
    assert_int_equal(lost_now, lost);
    assert_int_equal(unseen_now, unseen);
}

static void an_event_is_told_once_and_never_after_a_newer_one(void **state)
{
    (void)state;
    assert_true(take("a", 12, LEDGER_FOLLOWED));
    assert_false(take("a", 12, LEDGER_REPLAYED));
    assert_true(take("b", 13, LEDGER_REPLAYED));
    assert_false(take("b", 13, LEDGER_FOLLOWED));
    assert_true(take("a", 15, LEDGER_FOLLOWED));
    assert_false(take("a", 14, LEDGER_READ));
    assert_false(take("c", 10, LEDGER_REPLAYED)); /* of before the load */
    assert_int_equal(ledger_count(&ledger), 2);
}

static void what_one_watch_has_not_told_is_counted(void **state)
{
    (void)state;
    assert_true(take("both", 11, LEDGER_FOLLOWED));
    assert_false(take("both", 11, LEDGER_REPLAYED));
    assert_missing(20, 0, 0);
    assert_true(take("lost", 12, LEDGER_REPLAYED));
    assert_true(take("read", 13, LEDGER_READ));
    assert_true(take("unseen", 14, LEDGER_FOLLOWED));
    assert_missing(20, 2, 1);
    assert_missing(12, 1, 0);
    assert_true(take("later", 21, LEDGER_FOLLOWED));
    assert_missing(20, 2, 1);
}

static void a_proof_begins_a_new_page_and_late_events_are_still_known(void **state)
{
    (void)state;
    assert_true(take("a", 12, LEDGER_FOLLOWED));
    assert_true(take("b", 20, LEDGER_FOLLOWED));
    assert_true(take("c", 21, LEDGER_REPLAYED));
    ledger_prove(&ledger, 15, true);
    assert_int_equal(ledger_start(&ledger), 16);
    assert_true(ledger_is_whole(&ledger));
    assert_int_equal(ledger_count(&ledger), 2);
    assert_false(take("a", 12, LEDGER_FOLLOWED));
    assert_false(take("a", 11, LEDGER_FOLLOWED));
    assert_true(take("late", 14, LEDGER_FOLLOWED));
    /* b was told by the watch that is gone, c by the one that is followed now */
    assert_false(take("b", 20, LEDGER_FOLLOWED));
    assert_missing(30, 0, 2);
    assert_false(take("b", 20, LEDGER_REPLAYED));
    assert_false(take("c", 21, LEDGER_REPLAYED));
    assert_missing(30, 0, 0);
    ledger_prove(&ledger, 30, false);
    assert_false(take("a", 12, LEDGER_FOLLOWED)); /* two proofs ago */
    assert_false(take("late", 14, LEDGER_FOLLOWED));
}

static void a_load_forgets_all(void **state)
{
    (void)state;
    assert_true(take("a", 12, LEDGER_FOLLOWED));
    ledger_reset(&ledger, 5); /* the store has gone back */
    assert_int_equal(ledger_start(&ledger), 6);
    assert_true(take("a", 6, LEDGER_FOLLOWED));
}

static void too_many_keys_leave_a_gap_that_is_known(void **state)
{
    (void)state;
    char key[16];
    for (int i = 0; i < LEDGER_KEYS_MAX; i++) {
        snprintf(key, sizeof(key), "%d", i);
        assert_true(take(key, 11 + i, LEDGER_FOLLOWED));
    }
    assert_true(ledger_is_whole(&ledger));
    assert_false(take("0", 11, LEDGER_REPLAYED));
    assert_true(take("one more", 40000, LEDGER_FOLLOWED));
    assert_false(ledger_is_whole(&ledger));
    assert_int_equal(ledger_start(&ledger), 40001);
    assert_false(take("0", 11, LEDGER_REPLAYED)); /* older than the gap: perhaps it was told */
    assert_true(take("0", 40001, LEDGER_FOLLOWED));
    ledger_prove(&ledger, 40002, false);
    assert_true(ledger_is_whole(&ledger));
    assert_int_equal(ledger_start(&ledger), 40003);
}

/* A transaction has many keys, and all have its revision. */
static void a_gap_amid_a_revision_keeps_none_of_its_events_back(void **state)
{
    (void)state;
    char key[16];
    for (int i = 0; i < LEDGER_KEYS_MAX - 10; i++) {
        snprintf(key, sizeof(key), "%d", i);
        assert_true(take(key, 11 + i, LEDGER_FOLLOWED));
    }
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "t%d", i);
        assert_true(take(key, 30000, LEDGER_FOLLOWED));
    }
    assert_false(ledger_is_whole(&ledger));
    assert_false(take("t0", 30000, LEDGER_REPLAYED));
    assert_false(take("t0", 29999, LEDGER_FOLLOWED));
    /* A second watch begins behind it, and is not to blame for what it does not tell. */
    assert_int_equal(ledger_start(&ledger), 30001);
    assert_missing(30002, 0, 0);
}

/* The second watch lags behind the first: what it goes on to tell is old. */
static void a_gap_made_by_an_old_event_lies_above_all_that_was_told(void **state)
{
    (void)state;
    char key[16];
    for (int i = 0; i < LEDGER_KEYS_MAX; i++) {
        snprintf(key, sizeof(key), "%d", i);
        assert_true(take(key, 1000 + i, LEDGER_FOLLOWED));
    }
    assert_true(take("lost", 11, LEDGER_REPLAYED));
    assert_false(take("5", 1005, LEDGER_REPLAYED));
    assert_int_equal(ledger_start(&ledger), 1000 + LEDGER_KEYS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_is_told_once_and_never_after_a_newer_one,
                                        open_ledger, close_ledger),
        cmocka_unit_test_setup_teardown(what_one_watch_has_not_told_is_counted, open_ledger,
                                        close_ledger),
        cmocka_unit_test_setup_teardown(a_proof_begins_a_new_page_and_late_events_are_still_known,
                                        open_ledger, close_ledger),
        cmocka_unit_test_setup_teardown(a_load_forgets_all, open_ledger, close_ledger),
        cmocka_unit_test_setup_teardown(too_many_keys_leave_a_gap_that_is_known, open_ledger,
                                        close_ledger),
        cmocka_unit_test_setup_teardown(a_gap_amid_a_revision_keeps_none_of_its_events_back,
                                        open_ledger, close_ledger),
        cmocka_unit_test_setup_teardown(a_gap_made_by_an_old_event_lies_above_all_that_was_told,
                                        open_ledger, close_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
