#include "zones/store/rcu.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* A word that a reader may look at while `canary` is as it was made. */
struct box {
    uint64_t number, canary;
};

#define CANARY UINT64_C(0x1234567812345678)

static struct box *published;
static bool is_over;
static unsigned looks;

static struct box *box_new(uint64_t number)
{
    struct box *box = malloc(sizeof(*box));
    assert_non_null(box);
    *box = (struct box){number, CANARY};
    return box;
}

/* Looks at one box for a while: it must stay whole, and not be behind what was seen before. */
static void *read_on(void *arg)
{
    uint64_t *faults = arg, last = 0;
    rcu_reader_start();
    while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
        const struct box *box = rcu_read(published);
        uint64_t number = box->number;
        for (unsigned i = 0; i < 50; i++)
            *faults += box->canary != CANARY || box->number != number;
        *faults += number < last;
        last = number;
        __atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED);
        rcu_quiescent();
        if (number % 7 == 0) {
            rcu_reader_offline();
            sched_yield();
            rcu_reader_online();
        }
    }
    rcu_reader_stop();
    return NULL;
}

static void what_a_reader_holds_is_not_freed(void **state)
{
    (void)state;
    pthread_t threads[2];
    uint64_t faults[2] = {0};
    is_over = false;
    published = box_new(0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &faults[i]), 0);
    for (uint64_t i = 1; i < 20000 || __atomic_load_n(&looks, __ATOMIC_RELAXED) < 1000; i++) {
        struct box *old = published;
        rcu_publish(published, box_new(i));
        rcu_retire(old);
        rcu_collect();
        if (i % 64 == 0)
            sched_yield();
    }
    __atomic_store_n(&is_over, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(faults[0] + faults[1], 0);
    free(published);
    rcu_barrier_all();
}

/* Reads, and says nothing until it is told to. */
static void *be_silent(void *arg)
{
    unsigned *stage = arg;
    rcu_reader_start();
    __atomic_store_n(stage, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(stage, __ATOMIC_ACQUIRE) < 2)
        sched_yield();
    rcu_reader_stop();
    return NULL;
}

static void a_grace_period_waits_for_every_reader(void **state)
{
    (void)state;
    pthread_t thread;
    unsigned stage = 0;
    struct box *old = box_new(1);
    assert_int_equal(pthread_create(&thread, NULL, be_silent, &stage), 0);
    while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) < 1)
        sched_yield();
    rcu_retire(old);
    rcu_collect();
    for (unsigned i = 0; i < 5; i++) {
        usleep(10000);
        rcu_collect(); /* would free what has come back */
        assert_int_equal(old->canary, CANARY);
        assert_true(malloc_usable_size(old) >= sizeof(*old));
    }
    __atomic_store_n(&stage, 2, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    rcu_barrier_all();
}

/* Little and much, collected at once or piece by piece, comes back. */
static void all_that_is_retired_is_freed(void **state)
{
    (void)state;
    static const unsigned counts[] = {0, 1, 59, 60, 61, 1000, 60 * 64, 60 * 64 + 1, 20000};
    size_t held[2];
    rcu_retire(NULL);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
            for (unsigned j = 0; j < counts[i]; j++)
                rcu_retire(malloc(100));
            rcu_collect();
        }
        rcu_barrier_all();
        held[round] = mallinfo2().uordblks;
    }
    assert_true(held[1] <= held[0] + 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_reader_holds_is_not_freed),
        cmocka_unit_test(a_grace_period_waits_for_every_reader),
        cmocka_unit_test(all_that_is_retired_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
