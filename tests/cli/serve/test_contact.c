/* Which lines an outage of etcd has. */
#include "cli/serve/contact.h"

#include "support/log_lines.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define REFUSED   (&(struct detail){"http://a:1: connection refused"})
#define CUT_OFF   (&(struct detail){"http://a:1: the reply was cut off"})
#define FORBIDDEN (&(struct detail){"http://a:1: permission denied"})

static struct {
    uv_loop_t loop;
    struct contact contact;
    struct log_lines lines;
} run;

static int begin(void **state)
{
    (void)state;
    log_lines_init(&run.lines);
    assert_int_equal(uv_loop_init(&run.loop), 0);
    contact_init(&run.contact, &run.loop, &run.lines.log);
    return 0;
}

static int end(void **state)
{
    (void)state;
    contact_close(&run.contact);
    uv_run(&run.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&run.loop);
}

/* With a sign of life so long ago. */
static void lose(enum status status, const struct detail *why, uint64_t ago_ms)
{
    contact_lose(&run.contact, status, why, uv_now(&run.loop) - ago_ms, true);
}

static void assert_said(const char *expected)
{
    assert_string_equal(log_lines_take(&run.lines), expected);
}

static void a_loss_is_told_a_second_later_with_the_last_reason(void **state)
{
    (void)state;
    uint64_t began_ms = uv_now(&run.loop);
    lose(STATUS_UNREACHABLE, CUT_OFF, 11000);
    lose(STATUS_UNREACHABLE, REFUSED, 11000);
    assert_said("");
    uv_run(&run.loop, UV_RUN_DEFAULT); /* until its timer has run out */
    assert_true(uv_now(&run.loop) - began_ms >= 1000);
    assert_said(
        "WARNING:no contact with etcd, trying again: http://a:1: connection refused; is etcd "
        "running there? See --etcd-endpoint (answering what is known)\n");
    run.contact.lost_ms = uv_now(&run.loop) - 12345;
    contact_regain(&run.contact, "http://b:1");
    assert_said("INFO:contact with etcd again after 12.3 s: http://b:1\n");
}

static void what_is_over_before_is_told_in_one_line(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        lose(STATUS_UNREACHABLE, CUT_OFF, 250);
        contact_regain(&run.contact, "http://b:1");
        assert_said(
            "WARNING:contact with etcd again after 0.2 s: http://b:1 (it was lost: http://a:1: "
            "the reply was cut off)\n");
        uv_run(&run.loop, UV_RUN_DEFAULT);
        contact_regain(&run.contact, "http://b:1"); /* it stood */
        assert_said("");
    }
}

static void each_kind_of_reason_is_told_once(void **state)
{
    (void)state;
    lose(STATUS_UNREACHABLE, REFUSED, 0);
    uv_run(&run.loop, UV_RUN_DEFAULT);
    log_lines_take(&run.lines);
    for (int i = 0; i < 5; i++) {
        lose(STATUS_UNREACHABLE, CUT_OFF, 0);
        lose(STATUS_DENIED, FORBIDDEN, 0);
        lose(STATUS_TIMED_OUT, CUT_OFF, 0);
        assert_said(i == 0 ? "WARNING:no contact with etcd, trying again: http://a:1: permission "
                             "denied; see --etcd-user, --etcd-password-file and the roles of that "
                             "user (answering what is known)\n"
                           : "");
    }
    contact_regain(&run.contact, "http://a:1");
    log_lines_take(&run.lines);
    lose(STATUS_DENIED, FORBIDDEN, 0); /* another outage */
    contact_tell(&run.contact);
    contact_tell(&run.contact);
    assert_non_null(strstr(log_lines_take(&run.lines), "denied"));
}

static void at_the_start_there_is_nothing_to_wait_for(void **state)
{
    (void)state;
    contact_tell(&run.contact); /* nothing */
    contact_regain(&run.contact, "http://a:1");
    assert_said("");
    contact_lose(&run.contact, STATUS_SYSTEM, &(struct detail){"x"}, 0, false);
    assert_said("WARNING:no contact with etcd, trying again: x (queries fail until it is there)\n");
    contact_regain(&run.contact, "http://a:1");
    assert_non_null(strstr(log_lines_take(&run.lines), "INFO:contact with etcd again after 0."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_loss_is_told_a_second_later_with_the_last_reason, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_is_over_before_is_told_in_one_line, begin, end),
        cmocka_unit_test_setup_teardown(each_kind_of_reason_is_told_once, begin, end),
        cmocka_unit_test_setup_teardown(at_the_start_there_is_nothing_to_wait_for, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
