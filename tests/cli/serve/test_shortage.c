#include "support/log_lines.h"

#include "cli/serve/shortage.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    uv_loop_t loop;
    struct zone *zone;
    struct follow *follow; /* none: the time-out finds nothing to load */
    struct log_lines lines;
    struct shortage shortage;
};

static void begin(struct fixture *fixture)
{
    fixture->zone = NULL;
    fixture->follow = NULL;
    uv_loop_init(&fixture->loop);
    log_lines_init(&fixture->lines);
    shortage_init(&fixture->shortage, &fixture->loop, &fixture->zone, &fixture->follow,
                  &fixture->lines.log);
}

static void end(struct fixture *fixture)
{
    shortage_close(&fixture->shortage);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
}

static void it_is_said_once_at_its_beginning_and_once_at_its_end(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    assert_false(shortage_end(&fixture.shortage));
    assert_string_equal(log_lines_take(&fixture.lines), "");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++)
            shortage_begin(&fixture.shortage, STATUS_NO_MEMORY);
        assert_string_equal(log_lines_take(&fixture.lines),
                            "ERROR:not all of the registry is served, questions for what is not "
                            "known fail: out of memory (trying again)\n");
        assert_true(shortage_end(&fixture.shortage));
        assert_string_equal(log_lines_take(&fixture.lines),
                            "INFO:all of the registry is served again\n");
        assert_false(shortage_end(&fixture.shortage));
    }
    end(&fixture);
}

static void pauses_between_loads_are_doubled_up_to_a_minute(void **state)
{
    static const uint64_t rows[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uv_update_time(&fixture.loop);
        shortage_begin(&fixture.shortage, STATUS_NO_MEMORY);
        shortage_begin(&fixture.shortage, STATUS_NO_MEMORY); /* one load for all that was lost */
        assert_int_equal(uv_timer_get_due_in(&fixture.shortage.timer), rows[i]);
        uv_timer_stop(&fixture.shortage.timer); /* it has been loaded, and did not suffice */
    }
    assert_true(shortage_end(&fixture.shortage));
    shortage_begin(&fixture.shortage, STATUS_NO_MEMORY);
    assert_int_equal(uv_timer_get_due_in(&fixture.shortage.timer), 1000);
    assert_true(shortage_end(&fixture.shortage));
    assert_false(uv_is_active((uv_handle_t *)&fixture.shortage.timer));
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_said_once_at_its_beginning_and_once_at_its_end),
        cmocka_unit_test(pauses_between_loads_are_doubled_up_to_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
