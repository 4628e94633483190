/* What one thread hands over another takes, all of it and in its order. */
#include "registry/state/state_queue.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#include <pthread.h>
#include <time.h>

#define HANDED 100000

static struct state_queue queue;

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void push(const char *text)
{
    assert_int_equal(state_queue_push(&queue, text, strlen(text)), STATUS_OK);
}

static void assert_list(struct state_list *list, const char *expected)
{
    char text[256] = "";
    uint64_t octets = 0;
    for (const struct state_block *block = list->first; block; block = block->next) {
        strncat(text, (const char *)block->octets, block->len);
        octets += block->len;
    }
    assert_string_equal(text, expected);
    assert_int_equal(list->octets, octets);
}

static void it_comes_out_in_its_order(void **state)
{
    (void)state;
    struct state_list first, second;
    state_queue_init(&queue, 1000);
    state_list_init(&first);
    state_list_init(&second);
    state_queue_take(&queue, &first);
    assert_list(&first, "");
    push("a");
    push("bc");
    state_queue_take(&queue, &first);
    push("d");
    state_queue_take(&queue, &first);
    assert_list(&first, "abcd");
    state_list_prepend(&first, &second);
    assert_list(&first, "abcd");
    state_list_append(&second, state_list_take(&first));
    state_list_append(&second, state_list_take(&first));
    assert_list(&first, "d");
    state_list_prepend(&first, &second);
    assert_list(&first, "abcd");
    assert_list(&second, "");
    state_list_prepend(&second, &first);
    state_list_append(&second, state_list_take(&second));
    assert_list(&second, "bcda");
    assert_int_equal(state_queue_octets(&queue), 4);
    state_queue_free_list(&queue, &second);
    assert_int_equal(state_queue_octets(&queue), 0);
    push("left");
    state_queue_clear(&queue);
}

static void it_takes_so_many_octets_and_no_more(void **state)
{
    (void)state;
    struct state_list list;
    state_queue_init(&queue, 10);
    state_list_init(&list);
    push("0123456");
    assert_int_equal(state_queue_push(&queue, "0123", 4), STATUS_TOO_LARGE);
    push("012");
    state_queue_take(&queue, &list);
    assert_int_equal(state_queue_push(&queue, "0", 1), STATUS_TOO_LARGE); /* they are still there */
    state_queue_free(&queue, state_list_take(&list));
    push("0123456");
    state_queue_free_list(&queue, &list);
    state_queue_clear(&queue);
}

static void waiting_ends_with_a_signal_or_in_time(void **state)
{
    (void)state;
    state_queue_init(&queue, 1000);
    state_queue_signal(&queue);
    state_queue_signal(&queue);
    state_queue_wait(&queue, UINT64_MAX);
    uint64_t before_ms = now_ms();
    state_queue_wait(&queue, before_ms + 30); /* signalled twice, and seen once */
    assert_true(now_ms() >= before_ms + 30);
    push("x");
    state_queue_wait(&queue, UINT64_MAX);
    state_queue_clear(&queue);
}

static void *hand_over(void *arg)
{
    for (uint32_t i = 0; i < HANDED; i++)
        while (state_queue_push(&queue, &i, sizeof(i)) != STATUS_OK)
            ;
    return arg;
}

static void two_threads_lose_nothing(void **state)
{
    (void)state;
    pthread_t thread;
    struct state_list list;
    uint32_t expected = 0;
    state_queue_init(&queue, 4000);
    state_list_init(&list);
    assert_int_equal(pthread_create(&thread, NULL, hand_over, NULL), 0);
    while (expected < HANDED) {
        state_queue_wait(&queue, UINT64_MAX);
        state_queue_take(&queue, &list);
        while (list.first) {
            uint32_t number;
            struct state_block *block = state_list_take(&list);
            memcpy(&number, block->octets, sizeof(number));
            assert_int_equal(number, expected++);
            state_queue_free(&queue, block);
        }
    }
    pthread_join(thread, NULL);
    assert_int_equal(state_queue_octets(&queue), 0);
    state_queue_clear(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_out_in_its_order),
        cmocka_unit_test(it_takes_so_many_octets_and_no_more),
        cmocka_unit_test(waiting_ends_with_a_signal_or_in_time),
        cmocka_unit_test(two_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
