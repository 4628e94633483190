#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "parse.h"
#include "program.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define ARGUMENTS_MAX 12
#define GLOBALS       "--etcd-endpoint", "h:1", "--tree-root", "/foo"
#define T             "--service-type", "t"

struct row {
    const char *arguments[ARGUMENTS_MAX];
    enum parse_verdict verdict;
    const char *said; /* in the message; PARSE_RUN, PARSE_HELP: the command's name, NULL: none */
};

static void check(const struct row *row)
{
    char *argv[ARGUMENTS_MAX + 2] = {strdup("empusa")};
    int argc = 1;
    for (; argc <= ARGUMENTS_MAX && row->arguments[argc - 1]; argc++)
        argv[argc] = strdup(row->arguments[argc - 1]);
    struct call call = {.table = program_table()};
    struct parse_result result = {0};
    struct detail why = {""};
    enum parse_verdict verdict = parse(argc, argv, call.table, &call, &result, &why);
    if (verdict != row->verdict)
        print_message("%s ...: %s\n", row->arguments[0], why.text);
    assert_int_equal(verdict, row->verdict);
    if (verdict == PARSE_WRONG)
        assert_non_null(strstr(why.text, row->said));
    else if (row->said)
        assert_string_equal(call.command->name, row->said);
    else
        assert_null(call.command);
    options_clear(&call.options);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
}

static void command_lines_are_taken_apart(void **state)
{
    static const struct row rows[] = {
        {{GLOBALS, "service", "list"}, PARSE_RUN, "list"},
        {{"--etcd-endpoint=h:1", "--tree-root=/foo", "service", "list", "--format=json"},
         PARSE_RUN,
         "list"},
        {{"--etcd-discovery-srv", "d", "--tree-root=/foo", "switch", "list"}, PARSE_RUN, "list"},
        {{GLOBALS, "switch", "set", "s", "v", "--ttl", "5"}, PARSE_RUN, "set"},
        {{GLOBALS, "switch", "set", "--ttl", "5", "s", "-1"}, PARSE_RUN, "set"},
        {{GLOBALS, "switch", "set", "s", "--", "--ttl"}, PARSE_RUN, "set"},
        {{GLOBALS, "switch", "set", "s", ""}, PARSE_RUN, "set"},
        {{GLOBALS, "switch", "set", "s", "-"}, PARSE_RUN, "set"},
        {{GLOBALS, "serve", "--no-switches"}, PARSE_RUN, "serve"},
        {{"completion", "bash"}, PARSE_RUN, "completion"},
        {{"--help"}, PARSE_HELP, NULL},
        {{"service", "--help"}, PARSE_HELP, NULL},
        {{"service", "register", "--help"}, PARSE_HELP, "register"},
        {{"service", "register", "--nonsense", "--help"}, PARSE_HELP, "register"},
        {{"--version"}, PARSE_VERSION, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check(&rows[i]);
}

static void wrong_ones_are_refused_by_name(void **state)
{
    static const struct row rows[] = {
        {{NULL}, PARSE_WRONG, "no command"},
        {{"service"}, PARSE_WRONG, "empusa service --help"},
        {{"servic"}, PARSE_WRONG, "did you mean \"service\""},
        {{"service", "lst"}, PARSE_WRONG, "did you mean \"service list\""},
        {{"nonsense"}, PARSE_WRONG, "\"nonsense\": see empusa --help"},
        {{"--nonsense", "service"}, PARSE_WRONG, "--nonsense"},
        {{"--tree-rot", "x"}, PARSE_WRONG, "did you mean --tree-root"},
        {{"-x"}, PARSE_WRONG, "-x"},
        {{GLOBALS, "service", "list", "--tree-root", "/x"}, PARSE_WRONG, "stands before"},
        {{GLOBALS, "service", "list", "more"}, PARSE_WRONG, "\"more\" is too much"},
        {{GLOBALS, "service", "list", "--format"}, PARSE_WRONG, "--format needs a value"},
        {{GLOBALS, "serve", "--no-switches=yes"}, PARSE_WRONG, "takes no value"},
        {{GLOBALS, "switch", "set", "s"}, PARSE_WRONG, "switch set SWITCH VALUE"},
        {{GLOBALS, "service", "register"}, PARSE_WRONG, "--service-type is missing"},
        {{GLOBALS, "service", "unregister", T}, PARSE_WRONG, "EMPUSA_SERVICE_NAME"},
        {{"--tree-root", "/foo", "service", "list"}, PARSE_WRONG, "EMPUSA_ETCD_ENDPOINT"},
        {{"--etcd-endpoint", "h:1", "service", "list"}, PARSE_WRONG, "--tree-root is missing"},
        {{"--tree-root", "", "service", "list"}, PARSE_WRONG, "--tree-root \"\": is empty"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check(&rows[i]);
}

static int forget_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        if (row->variable)
            unsetenv(row->variable);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_are_taken_apart),
        cmocka_unit_test(wrong_ones_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, forget_environment, NULL);
}
