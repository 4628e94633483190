/* A command's talk with etcd, and what a person is told of its failure. */
#include "session.h"

#include "support/cli_run.h"
#include "support/log_lines.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct cli_run run;
static struct call call;
static struct log_lines lines;

static void set(enum option_id id, const char *text)
{
    assert_int_equal(options_set(&call.options, id, text, NULL), STATUS_OK);
}

static int set_up(void **state)
{
    (void)state;
    cli_run_open(&run);
    log_lines_init(&lines);
    call = (struct call){.log = lines.log};
    cli_run_set_options(&run, &call.options, "2", "foo/");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    options_clear(&call.options);
    cli_run_close(&run);
    return 0;
}

static void a_value_is_read_and_changed(void **state)
{
    (void)state;
    struct session session;
    struct session_value value = {0};
    struct kv_key key;
    struct registrar_change change = {
        .kind = REGISTRAR_SET_SWITCH, .key = &key, .value = "on", .value_len = 2};
    enum registrar_outcome outcome;
    assert_int_equal(session_open(&session, &call), STATUS_OK);
    assert_int_equal(key_of_switch(&session.root, "a/b", &key, &session.why), STATUS_OK);
    cli_run_begin_serving(&run);
    assert_int_equal(session_get(&session, &key, &value), STATUS_OK);
    assert_null(value.text);
    assert_int_equal(session_change(&session, &change, &outcome), STATUS_OK);
    assert_int_equal(outcome, REGISTRAR_CREATED);
    assert_int_equal(session_get(&session, &key, &value), STATUS_OK);
    assert_string_equal(value.text, "on");
    assert_int_equal(value.len, 2);
    assert_false(value.is_cut);
    free(value.text);
    session_close(&session);
    cli_run_end_serving(&run);
    assert_string_equal(cli_run_value(&run, "/foo/switch/a/b"), "on");
    assert_string_equal(log_lines_take(&lines), "");
}

static void what_etcd_refuses_fails_with_advice(void **state)
{
    (void)state;
    struct session session;
    struct session_value value = {0};
    struct kv_key key;
    run.store.fail =
        (struct fake_row){"/v3/kv/range", 403,
                          "{\"error\":\"etcdserver: permission denied\",\"code\":7}", FAKE_KEEP, 9};
    assert_int_equal(session_open(&session, &call), STATUS_OK);
    assert_int_equal(key_of_switch(&session.root, "a", &key, &session.why), STATUS_OK);
    cli_run_begin_serving(&run);
    assert_int_equal(session_get(&session, &key, &value), STATUS_DENIED);
    assert_null(value.text);
    assert_int_equal(session_fail(&session, STATUS_DENIED), 1);
    session_close(&session);
    cli_run_end_serving(&run);
    const char *said = log_lines_take(&lines);
    assert_non_null(strstr(said, "permission denied"));
    assert_non_null(
        strstr(said, " (see --etcd-user, --etcd-password-file and the roles of that user)\n"));
}

static void a_failure_is_said_once_with_what_can_be_done(void **state)
{
    static const struct {
        enum status status;
        const char *why, *said;
        int exit_status;
    } rows[] = {
        {STATUS_UNREACHABLE, "h:1: refused",
         "ERROR:h:1: refused (is etcd running there? See --etcd-endpoint)\n", 1},
        {STATUS_TIMED_OUT, "h:1: no answer",
         "ERROR:h:1: no answer (try again, or see --etcd-timeout)\n", 1},
        {STATUS_BAD_INPUT, "--ttl \"x\": no number", "ERROR:--ttl \"x\": no number\n", 2},
        {STATUS_NOT_FOUND, "not there", "ERROR:not there\n", 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct detail why;
        detail_set(&why, rows[i].status, "%s", rows[i].why);
        assert_int_equal(session_report(&lines.log, rows[i].status, &why), rows[i].exit_status);
        assert_string_equal(log_lines_take(&lines), rows[i].said);
    }
    /* Without a reason it is the status that says what. */
    session_report(&lines.log, STATUS_NO_MEMORY, &(struct detail){""});
    assert_non_null(strstr(log_lines_take(&lines), status_text(STATUS_NO_MEMORY)));
}

static void advice_for_an_outage_is_not_to_try_again(void **state)
{
    (void)state;
    for (int i = 0; i < STATUS_COUNT; i++)
        assert_null(strstr(session_outage_advice((enum status)i), "try again"));
    assert_string_equal(session_outage_advice(STATUS_CONFLICT), "");
    assert_string_equal(session_outage_advice(STATUS_SYSTEM), "");
    assert_string_equal(session_outage_advice(STATUS_UNREACHABLE),
                        "is etcd running there? See --etcd-endpoint");
    assert_string_equal(session_outage_advice(STATUS_TIMED_OUT),
                        session_outage_advice(STATUS_UNREACHABLE));
    assert_string_equal(session_outage_advice(STATUS_NO_GATEWAY),
                        "etcd's --config-file needs the line enable-grpc-gateway: true");
    assert_string_equal(session_outage_advice(STATUS_UNTRUSTED),
                        "--ca-bundle names the file of the authority that signed it");
}

static void what_cannot_be_opened_is_said_of_its_option(void **state)
{
    (void)state;
    struct session session;
    options_unset(&call.options, OPTION_TREE_ROOT);
    set(OPTION_TREE_ROOT, "/a\xff");
    assert_int_equal(session_open(&session, &call), STATUS_BAD_INPUT);
    assert_non_null(strstr(log_lines_take(&lines), "ERROR:--tree-root \""));
    options_unset(&call.options, OPTION_TREE_ROOT);
    set(OPTION_TREE_ROOT, "/foo");
    set(OPTION_CA_BUNDLE, "/nonexistent/ca");
    options_unset(&call.options, OPTION_ETCD_PROTOCOL);
    set(OPTION_ETCD_PROTOCOL, "https");
    assert_int_equal(session_open(&session, &call), STATUS_BAD_INPUT);
    assert_non_null(strstr(log_lines_take(&lines), "/nonexistent/ca"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_value_is_read_and_changed),
        TEST(what_etcd_refuses_fails_with_advice),
        TEST(a_failure_is_said_once_with_what_can_be_done),
        TEST(advice_for_an_outage_is_not_to_try_again),
        TEST(what_cannot_be_opened_is_said_of_its_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
