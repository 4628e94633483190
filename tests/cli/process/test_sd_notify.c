#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/process/sd_notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct manager {
    int fd;
    uv_loop_t loop;
    struct sd_notify notify;
};

/* A socket that listens at `name`, '@' standing for the abstract NUL. */
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    return fd;
}

static void set(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

/* A process of this manager, that wants signs of life as these two variables say. */
static void start(struct manager *manager, const char *name, const char *usec, const char *pid)
{
    set("NOTIFY_SOCKET", name);
    set("WATCHDOG_USEC", usec);
    set("WATCHDOG_PID", pid);
    assert_int_equal(uv_loop_init(&manager->loop), 0);
    sd_notify_start(&manager->notify, &manager->loop);
}

static void stop(struct manager *manager)
{
    sd_notify_stop(&manager->notify);
    uv_run(&manager->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&manager->loop), 0);
}

static void setup(struct manager *manager, const char *usec, const char *pid)
{
    char name[64];
    snprintf(name, sizeof(name), "@empusa-test-%d", (int)getpid());
    manager->fd = listen_at(name);
    start(manager, name, usec, pid);
}

static void teardown(struct manager *manager)
{
    stop(manager);
    close(manager->fd);
}

/* What the manager was told next; "" = nothing. */
static const char *said(const struct manager *manager)
{
    static char text[64];
    ssize_t len = recv(manager->fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static void the_manager_is_told_through_a_path_or_an_abstract_name(void **state)
{
    char directory[] = "/tmp/empusa-test-XXXXXX";
    char names[2][64];
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(names[0], sizeof(names[0]), "%s/notify", directory);
    snprintf(names[1], sizeof(names[1]), "@empusa-test-%d", (int)getpid());
    for (size_t i = 0; i < 2; i++) {
        struct manager manager = {.fd = listen_at(names[i])};
        start(&manager, names[i], NULL, NULL);
        sd_notify_ready(&manager.notify);
        assert_string_equal(said(&manager), "READY=1");
        sd_notify_stopping(&manager.notify);
        assert_string_equal(said(&manager), "STOPPING=1");
        teardown(&manager);
        assert_string_equal(said(&manager), "");
    }
    unlink(names[0]);
    rmdir(directory);
}

static void nobody_listening_is_no_trouble(void **state)
{
    char longest[300];
    const char *const names[] = {NULL, "", "/", "@", "relative", "/nonexistent/socket", longest};
    (void)state;
    memset(longest, '/', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct manager manager;
        start(&manager, names[i], "2000", NULL);
        sd_notify_ready(&manager.notify);
        assert_false(uv_is_active((uv_handle_t *)&manager.notify.ready));
        sd_notify_stopping(&manager.notify);
        stop(&manager);
    }
}

static void fill(struct manager *manager)
{
    do
        sd_notify_ready(&manager->notify);
    while (!uv_is_active((uv_handle_t *)&manager->notify.ready));
}

static void a_manager_that_does_not_read_is_not_waited_for_but_told_later(void **state)
{
    struct manager manager;
    unsigned told = 0;
    (void)state;
    setup(&manager, NULL, NULL);
    fill(&manager);
    while (strcmp(said(&manager), "READY=1") == 0)
        told++;
    assert_true(told > 0);
    uv_run(&manager.loop, UV_RUN_DEFAULT); /* until its timer has run out */
    assert_string_equal(said(&manager), "READY=1");
    assert_string_equal(said(&manager), "");
    teardown(&manager);
}

/* Turn until the manager was told so often that the process lives. */
static void turn(struct manager *manager, unsigned times)
{
    for (unsigned told = 0; told < times;) {
        uv_run(&manager->loop, UV_RUN_ONCE);
        for (const char *text; *(text = said(manager)); told++)
            assert_string_equal(text, "WATCHDOG=1");
    }
}

static void a_loop_that_turns_is_said_to_live_twice_in_the_time(void **state)
{
    struct manager manager;
    (void)state;
    setup(&manager, "100000", NULL);
    uint64_t began_ms = uv_now(&manager.loop);
    turn(&manager, 5);
    assert_true(uv_now(&manager.loop) - began_ms >= 4 * UINT64_C(50));
    assert_int_equal(manager.notify.pause_ms, 50);
    teardown(&manager);
}

static void a_loop_that_is_stuck_is_not(void **state)
{
    struct manager manager;
    (void)state;
    setup(&manager, "20000", NULL);
    turn(&manager, 2);
    usleep(100000);
    assert_string_equal(said(&manager), "");
    turn(&manager, 2);
    teardown(&manager);
}

static void a_sign_of_life_without_room_is_sent_again_soon(void **state)
{
    struct manager manager;
    (void)state;
    setup(&manager, "7200000000", NULL);
    fill(&manager);
    uv_timer_stop(&manager.notify.ready);
    uv_run(&manager.loop, UV_RUN_ONCE);
    while (strcmp(said(&manager), "READY=1") == 0)
        continue;
    turn(&manager, 1); /* and not in an hour */
    teardown(&manager);
}

static void only_who_is_meant_gives_signs_of_life(void **state)
{
    char ours[24];
    const struct {
        const char *usec, *pid;
        uint64_t pause_ms;
    } rows[] = {
        {NULL, NULL, 0},
        {NULL, ours, 0},
        {"30000000", NULL, 15000},
        {"30000000", ours, 15000},
        {"30000000", "1", 0},
        {"30000000", "", 0},
        {"1", ours, 10},
        {"0", ours, 0},
        {"", ours, 0},
        {"-1", ours, 0},
        {" 30000000", ours, 0},
        {"30000000 ", ours, 0},
        {"30s", ours, 0},
        {"18446744073709551615", ours, UINT64_MAX / 2 / 1000},
        {"18446744073709551616", ours, 0},
    };
    (void)state;
    snprintf(ours, sizeof(ours), "%d", (int)getpid());
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct manager manager;
        setup(&manager, rows[i].usec, rows[i].pid);
        if (manager.notify.pause_ms != rows[i].pause_ms)
            fail_msg("row %zu: %" PRIu64, i, manager.notify.pause_ms);
        uv_run(&manager.loop, UV_RUN_NOWAIT);
        assert_string_equal(said(&manager), rows[i].pause_ms ? "WATCHDOG=1" : "");
        teardown(&manager);
    }
}

static void it_is_told_without_a_descriptor_to_spare(void **state)
{
    struct rlimit before, none = {.rlim_cur = 3};
    struct manager manager;
    (void)state;
    setup(&manager, "20000", NULL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    turn(&manager, 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    teardown(&manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manager_is_told_through_a_path_or_an_abstract_name),
        cmocka_unit_test(nobody_listening_is_no_trouble),
        cmocka_unit_test(a_manager_that_does_not_read_is_not_waited_for_but_told_later),
        cmocka_unit_test(a_loop_that_turns_is_said_to_live_twice_in_the_time),
        cmocka_unit_test(a_loop_that_is_stuck_is_not),
        cmocka_unit_test(a_sign_of_life_without_room_is_sent_again_soon),
        cmocka_unit_test(only_who_is_meant_gives_signs_of_life),
        cmocka_unit_test(it_is_told_without_a_descriptor_to_spare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
