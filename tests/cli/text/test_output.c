#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/text/output.h"
#include "support/capture.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void messages_carry_their_level_and_root(void **state)
{
    static const struct {
        enum log_level least, level;
        const char *text, *line;
    } rows[] = {
        {LOG_LEVEL_INFO, LOG_LEVEL_INFO, "hello", "INFO:root:hello\n"},
        {LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, "hello", ""},
        {LOG_LEVEL_DEBUG, LOG_LEVEL_DEBUG, "hello", "DEBUG:root:hello\n"},
        {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, "hello", ""},
        {LOG_LEVEL_WARNING, LOG_LEVEL_ERROR, "hello", "ERROR:root:hello\n"},
        {LOG_LEVEL_INFO, LOG_LEVEL_WARNING, "a\nERROR:root:b", "WARNING:root:a\\x0aERROR:root:b\n"},
        {LOG_LEVEL_INFO, LOG_LEVEL_INFO, "", "INFO:root:\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct log log = output_log(rows[i].least);
        struct capture capture;
        capture_begin(&capture, STDERR_FILENO);
        log_printf(&log, rows[i].level, "%s", rows[i].text);
        char *said = capture_end(&capture);
        assert_string_equal(said, rows[i].line);
        free(said);
    }
}

/* Longer than a pipe takes at once: cut, and still a line. */
static void a_line_that_is_too_long_is_cut(void **state)
{
    struct log log = output_log(LOG_LEVEL_INFO);
    struct capture capture;
    char text[1024];
    (void)state;
    memset(text, 1, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    capture_begin(&capture, STDERR_FILENO);
    log_printf(&log, LOG_LEVEL_INFO, "%s", text);
    char *said = capture_end(&capture);
    assert_in_range(strlen(said), 4000, PIPE_BUF);
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    free(said);
}

static void of_one_kind_ten_are_written_and_the_rest_counted(void **state)
{
    struct log log = output_log(LOG_LEVEL_INFO);
    struct capture capture;
    (void)state;
    capture_begin(&capture, STDERR_FILENO);
    for (int i = 0; i < 100; i++) {
        log_printf(&log, LOG_LEVEL_WARNING, "bad %d", i);
        log_printf(&log, LOG_LEVEL_INFO, "good %d", i);
    }
    log_printf(&log, LOG_LEVEL_WARNING, "another %d", 1);
    output_exit();
    char *said = capture_end(&capture);
    unsigned bad = 0, good = 0;
    for (char *at = said; (at = strstr(at, ":root:bad ")); at++)
        bad++;
    for (char *at = said; (at = strstr(at, ":root:good ")); at++)
        good++;
    assert_int_equal(bad, 10);
    assert_int_equal(good, 100);
    assert_non_null(strstr(said, "WARNING:root:another 1\n"));
    assert_non_null(strstr(said, "WARNING:root:90 more of these: bad 99\n"));
    free(said);
}

static void fill(int fd)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK);
    assert_true(own >= 0);
    while (write(own, "xxxxxxxxxxxxxxx\n", 16) == 16)
        continue;
    close(own);
}

static void on_over(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

/* Runs the loop until its timer has told what is due. */
static void a_turn(uv_loop_t *loop)
{
    uv_timer_t timer;
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, on_over, 1500, 0);
    uv_run(loop, UV_RUN_DEFAULT);
}

static void what_nobody_reads_is_lost_and_counted(void **state)
{
    struct log log = output_log(LOG_LEVEL_INFO);
    struct output_counts before, after;
    char text[65536 * 2];
    int pair[2], saved = dup(STDERR_FILENO);
    uv_loop_t loop;
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(pipe(pair), 0);
    assert_true(dup2(pair[1], STDERR_FILENO) >= 0);
    fill(STDERR_FILENO);
    output_begin(&loop);
    output_count(&before);
    for (int i = 0; i < 7; i++)
        log_printf(&log, LOG_LEVEL_INFO, "unheard %d", i);
    output_count(&after);
    assert_int_equal(after.lost - before.lost, 7);
    ssize_t len = read(pair[0], text, sizeof(text));
    assert_true(len > 0);
    a_turn(&loop);
    log_printf(&log, LOG_LEVEL_INFO, "heard");
    len = read(pair[0], text, sizeof(text) - 1);
    dup2(saved, STDERR_FILENO);
    assert_true(len > 0);
    text[len] = '\0';
    assert_string_equal(text, "WARNING:root:7 lines lost\nINFO:root:heard\n");
    output_end();
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    close(pair[0]);
    close(pair[1]);
    close(saved);
}

/* What `text` becomes on a terminal, or in a file. */
static char *value_on(bool is_terminal, const char *text, size_t len)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    FILE *file = is_terminal ? fopen(ptsname(master), "r+") : tmpfile();
    assert_non_null(file);
    output_value(file, text, len);
    fputs("|", file);
    fflush(file);
    int from = is_terminal ? master : fileno(file);
    if (!is_terminal)
        rewind(file);
    char *out = calloc(1, 256);
    assert_non_null(out);
    for (size_t at = 0; at < 255 && !strchr(out, '|');) {
        ssize_t got = read(from, out + at, 255 - at);
        assert_true(got > 0);
        at += (size_t)got;
    }
    *strchr(out, '|') = '\0';
    fclose(file);
    close(master);
    return out;
}

static void a_value_drives_no_terminal_and_is_itself_elsewhere(void **state)
{
    static const char text[] = "\x1b]0;x\x07\xc2\x9b"
                               "2J\xe2\x80\xae\xff\xc3\xa9\xc3";
    (void)state;
    char *shown = value_on(true, text, sizeof(text) - 1);
    assert_string_equal(shown, "\\x1b]0;x\\x07\\xc2\\x9b2J\\u{202e}\\xff\xc3\xa9\\xc3");
    free(shown);
    shown = value_on(false, text, sizeof(text) - 1);
    assert_string_equal(shown, text);
    free(shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_carry_their_level_and_root),
        cmocka_unit_test(a_line_that_is_too_long_is_cut),
        cmocka_unit_test(of_one_kind_ten_are_written_and_the_rest_counted),
        cmocka_unit_test(what_nobody_reads_is_lost_and_counted),
        cmocka_unit_test(a_value_drives_no_terminal_and_is_itself_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
