/* A session's calls whose n-th allocation fails, for all n. */
#include "session.h"

#include "support/allocation.h"
#include "support/cli_run.h"
#include "support/log_lines.h"

static struct cli_run run;
static struct call call;
static struct log_lines lines;

static int set_up(void **state)
{
    (void)state;
    cli_run_open(&run);
    fake_store_put(&run.store, "/foo/switch/a", "on", 0);
    log_lines_init(&lines);
    call = (struct call){.log = lines.log};
    cli_run_set_options(&run, &call.options, "1", "/foo");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    options_clear(&call.options);
    cli_run_close(&run);
    return 0;
}

/* False: nothing failed. */
static bool get_without(unsigned left, bool *is_told)
{
    struct session session;
    struct session_value value = {0};
    struct kv_key key;
    assert_int_equal(session_open(&session, &call), STATUS_OK);
    assert_int_equal(key_of_switch(&session.root, "a", &key, &session.why), STATUS_OK);
    allocation_begin(left);
    enum status status = session_get(&session, &key, &value);
    bool has_failed = allocation_end();
    assert_int_not_equal(status, STATUS_CANCELLED);
    if (status == STATUS_OK)
        assert_string_equal(value.text, "on");
    else
        assert_true(has_failed && !value.text);
    if (status == STATUS_NO_MEMORY)
        assert_non_null(strstr(session.why.text, status_text(STATUS_NO_MEMORY)));
    *is_told |= status == STATUS_NO_MEMORY;
    free(value.text);
    session_close(&session);
    return has_failed;
}

static void a_value_without_memory_is_no_call_that_was_cancelled(void **state)
{
    (void)state;
    unsigned n = 0;
    bool is_told = false;
    cli_run_begin_serving(&run);
    while (get_without(n, &is_told))
        n++;
    cli_run_end_serving(&run);
    assert_true(is_told && n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_value_without_memory_is_no_call_that_was_cancelled,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
