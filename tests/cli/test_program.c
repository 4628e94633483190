#include "program.h"

#include "cli/args/command.h"
#include "support/cli_run.h"

static struct cli_run run;

static int set_up(void **state)
{
    (void)state;
    cli_run_open(&run);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cli_run_close(&run);
    return 0;
}

static void help_and_version_are_printed_and_no_fault(void **state)
{
    static const struct {
        const char *line, *begins, *has;
    } rows[] = {
        {"--help", "Usage: empusa ", "  service register "},
        {"", "Usage: empusa ", "  switch cas "},
        {"switch", "Usage: empusa switch ", "  switch toggle SWITCH "},
        {"switch cas --help", "Usage: empusa switch cas ", "SWITCH VALUE EXPECTED"},
        {"zone --nonsense --help", "Usage: empusa zone ", "--domain"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int exit_status = cli_run(&run, rows[i].line);
        if (exit_status != 0 || !strstr(run.out, rows[i].has) || *run.err ||
            strncasecmp(run.out, rows[i].begins, strlen(rows[i].begins)) != 0)
            fail_msg("%s: %d\n%s%s", rows[i].line, exit_status, run.out, run.err);
    }
    cli_run_expect(&run, "--version", 0, "empusa " EMPUSA_VERSION "\n", "");
}

static void wrong_usage_is_one_line_and_exit_status_2(void **state)
{
    static const char *const lines[] = {"nonsense",
                                        "switch nonsense",
                                        "switch set a",
                                        "switch get a b",
                                        "service list --nonsense",
                                        "service list --format xml",
                                        "switch set a b --ttl -1"};
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        int exit_status = cli_run(&run, lines[i]);
        const char *end = strchr(run.err, '\n');
        if (exit_status != 2 || *run.out || strncmp(run.err, "ERROR:root:", 11) != 0 || !end ||
            end[1])
            fail_msg("%s: %d\n%s%s", lines[i], exit_status, run.out, run.err);
    }
    assert_int_equal(run.store.gateway.asked, 0);
}

static void a_password_in_what_is_wrong_is_not_repeated(void **state)
{
    (void)state;
    assert_int_equal(cli_run(&run, "nonsense://bob:secret@h:1"), 2);
    assert_null(strstr(run.err, "secret"));
}

static void options_stand_anywhere_and_win_over_variables(void **state)
{
    (void)state;
    setenv("EMPUSA_TREE_ROOT", "/bar", 1);
    cli_run_expect(&run, "--tree-root=/foo switch --ttl 0 set a -- --on", 0, "",
                   "INFO:root:switch a set to --on\n");
    assert_string_equal(cli_run_value(&run, "/foo/switch/a"), "--on");
    cli_run_expect(&run, "--log-level WARNING switch set b on", 0, "", "");
    assert_string_equal(cli_run_value(&run, "/bar/switch/b"), "on");
}

/* A row of the table that cannot be run, helped with or told from another is a mistake in it. */
static void each_row_of_the_table_is_whole(void **state)
{
    const struct command_table *table = program_table();
    (void)state;
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        size_t len;
        assert_non_null(command->run);
        assert_non_null(command->summary);
        assert_ptr_equal(command_find(table, command->group, command->name), command);
        assert_true(!command->group || command_group(table, command->group));
        assert_null(command_operand(command, COMMAND_OPERANDS_MAX, &len));
        assert_in_range(command->option_count, 0, COMMAND_OPTIONS_MAX);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(help_and_version_are_printed_and_no_fault),
        TEST(wrong_usage_is_one_line_and_exit_status_2),
        TEST(a_password_in_what_is_wrong_is_not_repeated),
        TEST(options_stand_anywhere_and_win_over_variables),
        TEST(each_row_of_the_table_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
