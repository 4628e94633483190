/* What a loop watches needs no memory. */
#include "registry/net/loop.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static bool is_refused;
static unsigned events;

static void *reallocate(void *old, size_t size)
{
    return is_refused ? NULL : realloc(old, size);
}

static void on_event(uv_poll_t *poll, int status, int what)
{
    (void)status, (void)what;
    events++;
    uv_close((uv_handle_t *)poll, NULL);
}

/* libuv aborts where it gets none. */
static void the_highest_descriptor_is_watched_without_memory(void **state)
{
    struct rlimit limit;
    uv_loop_t loop;
    uv_poll_t poll;
    (void)state;
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int any = eventfd(1, EFD_CLOEXEC);
    int last = limit.rlim_cur < LOOP_DESCRIPTORS_MAX ? (int)limit.rlim_cur : LOOP_DESCRIPTORS_MAX;
    int fd = fcntl(any, F_DUPFD_CLOEXEC, last - 1);
    assert_true(fd >= 0);
    is_refused = true;
    assert_int_equal(uv_poll_init(&loop, &poll, fd), 0);
    assert_int_equal(uv_poll_start(&poll, UV_READABLE, on_event), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    is_refused = false;
    assert_int_equal(events, 1);
    close(any);
    close(fd);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_process_without_descriptors_gets_a_loop_all_the_same(void **state)
{
    struct rlimit before, few;
    uv_loop_t loop;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = 32, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int any = eventfd(0, EFD_CLOEXEC), highest = fcntl(any, F_DUPFD_CLOEXEC, 31);
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(any);
    close(highest);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_descriptor_is_watched_without_memory),
        cmocka_unit_test(a_process_without_descriptors_gets_a_loop_all_the_same),
    };
    uv_replace_allocator(malloc, reallocate, calloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
