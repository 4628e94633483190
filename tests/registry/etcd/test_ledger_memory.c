/* A ledger that has no memory forgets, and says so: nothing that is news is taken for known. */
#include "ledger.h"

#include "support/allocation.h"

#include <stdio.h>
#include <string.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

enum { EVENTS = 400 };

static void news_stay_news(void **state)
{
    struct ledger ledger;
    unsigned failures = 0;
    (void)state;
    assert_int_equal(ledger_init(&ledger), STATUS_OK);
    ledger_reset(&ledger, 10);
    for (int64_t i = 0; i < EVENTS; i++) {
        char key[16];
        size_t len = (size_t)snprintf(key, sizeof(key), "%d", (int)(i % 97));
        allocation_begin(0);
        assert_true(ledger_take(&ledger, key, len, 11 + i, LEDGER_FOLLOWED));
        if (allocation_end()) {
            failures++;
            assert_false(ledger_is_whole(&ledger));
            assert_int_equal(ledger_start(&ledger), 12 + i);
        }
        /* Told once more it is none. */
        assert_false(ledger_take(&ledger, key, len, 10 + i, LEDGER_REPLAYED));
    }
    assert_true(failures > 0);
    ledger_prove(&ledger, 11 + EVENTS, false);
    assert_true(ledger_is_whole(&ledger));
    ledger_clear(&ledger);
}

/* What is carried over a proof and finds no room is no longer recorded: the floor says from where on. */
static void what_a_proof_cannot_carry_is_not_recorded(void **state)
{
    struct ledger ledger;
    (void)state;
    assert_int_equal(ledger_init(&ledger), STATUS_OK);
    ledger_reset(&ledger, 10);
    assert_true(ledger_take(&ledger, "a", 1, 11, LEDGER_FOLLOWED));
    assert_true(ledger_take(&ledger, "b", 1, 20, LEDGER_FOLLOWED));
    allocation_begin_many(0, ALLOCATION_ALL);
    ledger_prove(&ledger, 15, false);
    assert_true(allocation_end());
    assert_false(ledger_is_whole(&ledger));
    assert_int_equal(ledger_start(&ledger), 21);
    assert_true(ledger_take(&ledger, "b", 1, 21, LEDGER_FOLLOWED));
    ledger_clear(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(news_stay_news),
                                       cmocka_unit_test(what_a_proof_cannot_carry_is_not_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
