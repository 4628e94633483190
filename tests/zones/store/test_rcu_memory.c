/* Retiring when there is no memory to remember what is retired. */
#include "support/allocation.h"
#include "zones/store/rcu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A reader may still look at it, so it is not freed; what comes later is remembered again. */
static void what_cannot_be_remembered_stays(void **state)
{
    (void)state;
    char *lost = allocation_exempt(16);
    allocation_begin(0);
    rcu_retire(lost);
    assert_true(allocation_end());
    memset(lost, 1, 16);
    for (unsigned i = 0; i < 10000; i++)
        rcu_retire(malloc(16));
    rcu_collect();
    rcu_barrier_all();
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(lost[i], 1);
    free(lost);
}

/* LeakSanitizer would say what was lost. */
static void commits_keep_room_for_when_there_is_no_memory(void **state)
{
    enum { COMMITS = 8, RETIRED = COMMITS * 60 };
    (void)state;
    for (unsigned i = 0; i < COMMITS; i++)
        rcu_collect();
    for (unsigned i = 0; i < RETIRED; i++) {
        char *one = malloc(16);
        allocation_begin_many(0, ALLOCATION_ALL);
        rcu_retire(one);
        allocation_end();
    }
    rcu_collect();
    rcu_barrier_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_remembered_stays),
        cmocka_unit_test(commits_keep_room_for_when_there_is_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
