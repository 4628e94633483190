/* A password file that is replaced while a command stays. */
#include "reread.h"

#include "connect.h"
#include "registry/etcd/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static char path[] = "/tmp/empusa-reread-XXXXXX";
static unsigned lines;
static char line[512];

static void on_log(void *arg, enum log_level level, const char *kind, const char *text)
{
    (void)arg, (void)level, (void)kind;
    lines++;
    snprintf(line, sizeof(line), "%s", text);
}

static const struct log log_to_line = {.write = on_log};

/* By renaming, as those do who renew secrets. */
static void write_password(const char *text)
{
    char fresh[sizeof(path) + 4];
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    FILE *file = fopen(fresh, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(fresh, path), 0);
}

static void on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void run_for(uv_loop_t *loop, uint64_t time_ms)
{
    bool is_over = false;
    uv_timer_t timer;
    uv_timer_init(loop, &timer);
    timer.data = &is_over;
    uv_timer_start(&timer, on_time, time_ms, 0);
    while (!is_over)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
}

static void a_file_that_has_changed_is_read_while_etcd_is_away(void **state)
{
    struct options options = {0};
    struct detail why = {""};
    struct etcd *etcd;
    struct reread reread;
    uv_loop_t loop;
    (void)state;
    umask(077); /* of a file that others may read it is said */
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_password("first\n");
    assert_int_equal(options_set(&options, OPTION_ETCD_ENDPOINT, "127.0.0.1:1", &why), STATUS_OK);
    assert_int_equal(options_set(&options, OPTION_ETCD_PROTOCOL, "http", &why), STATUS_OK);
    assert_int_equal(options_set(&options, OPTION_ETCD_TIMEOUT, "5", &why), STATUS_OK);
    assert_int_equal(options_set(&options, OPTION_ETCD_USER, "user", &why), STATUS_OK);
    assert_int_equal(options_set(&options, OPTION_ETCD_PASSWORD, path, &why), STATUS_OK);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(connect_open(&loop, &options, &log_to_line, &etcd, &why), STATUS_OK);
    reread_start(&reread, &loop, &options, &log_to_line, etcd);
    assert_string_equal(etcd->auth.password, "first");

    write_password("second\n"); /* etcd is not away: nobody asks */
    run_for(&loop, 50);
    assert_string_equal(etcd->auth.password, "first");
    reread_begin(&reread);
    reread_begin(&reread);
    run_for(&loop, 50);
    assert_string_equal(etcd->auth.password, "second");
    assert_int_equal(lines, 1);
    assert_non_null(strstr(line, "read again"));

    etcd->auth.refusals = 7; /* what has not changed is left alone, with what is known of it */
    run_for(&loop, 1200);
    assert_int_equal(etcd->auth.refusals, 7);
    unlink(path); /* about to be replaced */
    run_for(&loop, 1200);
    assert_string_equal(etcd->auth.password, "second");
    write_password("third\n");
    reread_end(&reread);
    run_for(&loop, 1200);
    assert_string_equal(etcd->auth.password, "second");
    reread_begin(&reread);
    run_for(&loop, 50);
    assert_string_equal(etcd->auth.password, "third");
    assert_int_equal(lines, 2);

    reread_stop(&reread);
    etcd_close(etcd);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    options_clear(&options);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_has_changed_is_read_while_etcd_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
