#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/args/parse.h"
#include "cli/program.h"

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
    struct detail why = {""};
    enum parse_verdict verdict = parse(argc, argv, &call, &why);
    if (verdict != row->verdict)
        print_message("%s ...: %s\n", row->arguments[0], why.text);
    assert_int_equal(verdict, row->verdict);
    assert_null(strstr(why.text, "secret"));
    if (verdict == PARSE_WRONG)
        assert_non_null(strstr(why.text, row->said));
    else if (row->said)
        assert_string_equal(call.command->name, row->said);
    else
        assert_null(call.command);
    options_clear(&call.options);
    config_clear(&call.config);
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
        {{"service", GLOBALS, "list"}, PARSE_RUN, "list"},
        {{"service", "list", GLOBALS}, PARSE_RUN, "list"},
        {{"service", "--etcd-endpoint", "h:1", "list", "--tree-root=/foo", "--format", "json"},
         PARSE_RUN,
         "list"},
        {{"--format=json", "service", "list", GLOBALS}, PARSE_RUN, "list"},
        {{"--ttl", "5", "switch", "set", "s", "v", GLOBALS}, PARSE_RUN, "set"},
        {{"switch", "set", "s", GLOBALS, "v"}, PARSE_RUN, "set"},
        {{"switch", "set", GLOBALS, "--", "--ttl", "-h"}, PARSE_RUN, "set"},
        {{GLOBALS, "--", "switch", "set", "--tree-root", "--"}, PARSE_RUN, "set"},
        {{GLOBALS, "switch", "set", "--", "-y", "-x"}, PARSE_RUN, "set"},
        /* The value of an option is no command and no operand. */
        {{"--service-type", "serve", "service", "list", GLOBALS}, PARSE_RUN, "list"},
        {{"--tree-root", "zone", "--etcd-endpoint", "h:1", "switch", "list"}, PARSE_RUN, "list"},
        {{"service", "--service-name", "list", "unregister", GLOBALS, T}, PARSE_RUN, "unregister"},
        {{GLOBALS, "service", "unregister", "--service-type=--ttl", "--service-name", "-x"},
         PARSE_RUN,
         "unregister"},
        {{NULL}, PARSE_HELP, NULL},
        {{"service"}, PARSE_HELP, NULL},
        {{"switch"}, PARSE_HELP, NULL},
        {{"-h"}, PARSE_HELP, NULL},
        {{"switch", "-h"}, PARSE_HELP, NULL},
        {{"-h", "switch", "get"}, PARSE_HELP, "get"},
        {{"--help", "serve"}, PARSE_HELP, "serve"},
        {{"--help", "nonsense"}, PARSE_HELP, NULL},
        {{"switch", "set", "s", "v", "more", "-h"}, PARSE_HELP, "set"},
        {{"switch", "set", "--ttl", "-h"}, PARSE_HELP, "set"},
        {{"--nonsense", "--help"}, PARSE_HELP, NULL},
        {{"serve", "--version"}, PARSE_VERSION, "serve"},
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
        {{"--tree-root", "/foo"}, PARSE_WRONG, "no command was given: see empusa --help"},
        {{"service", "--format", "json"}, PARSE_WRONG, "given: see empusa service --help"},
        {{"servic"}, PARSE_WRONG, "did you mean \"service\""},
        {{"service", "lst"}, PARSE_WRONG, "did you mean \"service list\""},
        {{"nonsense"}, PARSE_WRONG, "\"nonsense\": see empusa --help"},
        {{"--nonsense", "service"}, PARSE_WRONG, "--nonsense"},
        {{"--tree-rot", "x"}, PARSE_WRONG, "did you mean --tree-root"},
        {{"-x"}, PARSE_WRONG, "-x"},
        {{"nonsense", "--help"}, PARSE_WRONG, "no command \"nonsense\""},
        {{"service", "nonsense", "-h"}, PARSE_WRONG, "no command \"service nonsense\""},
        {{"list"}, PARSE_WRONG, "did you mean \"service list\" or \"switch list\"?"},
        {{"--nonsense", "value", "service", "list"}, PARSE_WRONG, "no option --nonsense:"},
        {{"--ttl", "5", "service", "list"}, PARSE_WRONG, "no option --ttl: see empusa service li"},
        {{"service", "list", "-l"}, PARSE_WRONG, "no option -l: see empusa service list --help"},
        {{"service", "register", "--port", "5"}, PARSE_WRONG, "--port: see empusa service regi"},
        {{"service", "register", "--service", "x"},
         PARSE_WRONG,
         "no option --service: see empusa service register --help"},
        {{"service", "register", "--name", "n"}, PARSE_WRONG, "did you mean --service-name?"},
        {{"--etcd-password=secret", "serve"}, PARSE_WRONG, "no option --etcd-password: did you"},
        {{"switch", "set", "s", "-y"},
         PARSE_WRONG,
         "VALUE, put \"--\" before it: empusa switch set"},
        {{"switch", "get", "--s"}, PARSE_WRONG, "if it is the SWITCH, put \"--\" before it"},
        {{"switch", "get", "--passwort=secret"},
         PARSE_WRONG,
         "empusa switch get ... -- --passwort=..."},
        {{"switch", "get", "-passwort=secret"}, PARSE_WRONG, "no option -passwort: if it is"},
        {{"switch", "get", "--http://u:secret=1@h"}, PARSE_WRONG, "-- --http:..."},
        {{"switch", "list", "-psw=secret"}, PARSE_WRONG, "no option -psw: see"},
        {{"https://u:pa secret@h"}, PARSE_WRONG, "no command \"https://***@h\""},
        {{"--https://u:pa secret@h"}, PARSE_WRONG, "no option --https: see"},
        {{"switch", "list", "u:pa secret\"@h"}, PARSE_WRONG, "unexpected argument \"***@h\""},
        {{GLOBALS, "serve", "--no-switches=u:pa secret@h"}, PARSE_WRONG, "\"***@h\": it takes"},
        {{GLOBALS, "service", "list", "more"},
         PARSE_WRONG,
         "unexpected argument \"more\": see empusa service list --help"},
        {{GLOBALS, "service", "unregister", "--service-name", "--service-type", "t"},
         PARSE_WRONG,
         "--service-name needs a value: NAME"},
        {{GLOBALS, "service", "unregister", "--service-name", "--", "n"},
         PARSE_WRONG,
         "--service-name needs a value: NAME"},
        {{GLOBALS, "service", "list", "--format"}, PARSE_WRONG, "--format needs a value"},
        {{GLOBALS, "serve", "--no-switches=yes"}, PARSE_WRONG, "takes no value"},
        {{"switch", "set", "s"},
         PARSE_WRONG,
         "missing operand VALUE: empusa switch set SWITCH VALUE"},
        {{"switch", "get"}, PARSE_WRONG, "missing operand SWITCH: empusa switch get SWITCH"},
        {{GLOBALS, "service", "register"}, PARSE_WRONG, "--service-type is missing"},
        {{GLOBALS, "service", "unregister", T}, PARSE_WRONG, "EMPUSA_SERVICE_NAME"},
        {{"--tree-root", "/foo", "service", "list"}, PARSE_WRONG, "EMPUSA_ETCD_ENDPOINT"},
        {{"--etcd-endpoint", "h:1", "service", "list"}, PARSE_WRONG, "--tree-root is missing"},
        {{"--tree-root", "", "service", "list"}, PARSE_WRONG, "--tree-root \"\": is empty"},
        {{"--config", "", "service", "list"}, PARSE_WRONG, "--config \"\": is empty"},
        {{"--config", "/", "service", "list"}, PARSE_WRONG, "--config \"/\": Is a directory"},
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
        if (row->second_variable)
            unsetenv(row->second_variable);
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
