#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/args/command.h"
#include "cli/program.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void distance_counts_insertions_deletions_exchanges(void **state)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } rows[] = {{"", "", 0},
                {"a", "", 1},
                {"", "abc", 3},
                {"list", "list", 0},
                {"lst", "list", 1},
                {"lists", "list", 1},
                {"kitten", "sitting", 7 - 4},
                {"serv", "serve", 1},
                {"abcd", "dcba", 3},
                {"toggle", "togglee", 1},
                {"toggle", "togleg", 2},
                {"serve", "sevre", 1},
                {"ca", "abc", 3}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *a = rows[i].a, *b = rows[i].b;
        assert_int_equal(command_distance(a, strlen(a), b, strlen(b)), rows[i].distance);
        assert_int_equal(command_distance(b, strlen(b), a, strlen(a)), rows[i].distance);
    }
}

static void a_mistyped_command_means_the_nearest(void **state)
{
    static const struct {
        const char *group, *typed, *meant; /* NULL: none is near */
    } rows[] = {{NULL, "servic", "\"service\""},
                {NULL, "serv", "\"serve\""},
                {NULL, "sevre", "\"serve\""},
                {NULL, "swich", "\"switch\""},
                {NULL, "register", "\"service register\""},
                {NULL, "regisetr", "\"service register\""},
                {NULL, "toggle", "\"switch toggle\""},
                {NULL, "list", "\"service list\" or \"switch list\""},
                {NULL, "drain", "\"service drain\""},
                {"service", "regster", "\"service register\""},
                {"service", "reg", "\"service register\""},
                {"switch", "st", "\"switch set\""},
                {"switch", "delete", NULL},
                {"switch", "rm", NULL},
                {"service", "serve", NULL},
                {NULL, "nonsense", NULL},
                {"service", "xyzzyxyzzy", NULL},
                {NULL, "", NULL},
                {NULL, "a-word-much-longer-than-any-command-could-ever-be", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char meant[128] = "";
        bool is_near =
            command_nearest(program_table(), rows[i].group, rows[i].typed, meant, sizeof(meant));
        assert_int_equal(is_near, rows[i].meant != NULL);
        if (rows[i].meant)
            assert_string_equal(meant, rows[i].meant);
    }
}

static void a_mistyped_option_means_what_is_near(void **state)
{
    static const char *const names[] = {
        "host",         "http",          "ttl",       "txt",
        "service-type", "service-name",  "tree-root", "etcd-endpoint",
        "etcd-key",     "refresh-every", "ttl",       "etcd-password-file",
        "record-ttl",   "negative-ttl",  "log-level", "service-location"};
    static const struct {
        const char *typed, *meant;
    } rows[] = {{"hots", "host"},
                {"hosts", "host"},
                {"ttl2", "ttl"},
                {"servce-type", "service-type"},
                {"service-nmae", "service-name"},
                {"tree-rot", "tree-root"},
                {"loglevel", "log-level"},
                {"name", "service-name"},
                {"type", "service-type"},
                {"refresh", "refresh-every"},
                {"endpoints", "etcd-endpoint"},
                {"etcd-endpoints", "etcd-endpoint"},
                {"etcd-password", "etcd-password-file"},
                {"password", "etcd-password-file"},
                {"root", "tree-root"},
                {"key", "etcd-key"},
                {"port", NULL},
                {"post", NULL},
                {"file", NULL},
                {"service", NULL}, /* of three */
                {"t", NULL},
                {"tt", NULL}, /* ttl or txt */
                {"tl", "ttl"},
                {"to", NULL},
                {"verbose", NULL},
                {"format", NULL},
                {"", NULL},
                {"-", NULL},
                {"a-name-much-longer-than-that-of-any-option-there-is", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *best =
            command_suggest(rows[i].typed, strlen(rows[i].typed), names, COUNT(names));
        if (rows[i].meant)
            assert_string_equal(best ? best : "", rows[i].meant);
        else
            assert_string_equal(best ? best : "", "");
    }
}

static void operands_have_names(void **state)
{
    struct command command = {.operands = "SWITCH VALUE"};
    size_t len = 0;
    (void)state;
    assert_memory_equal(command_operand(&command, 0, &len), "SWITCH", 6);
    assert_int_equal(len, 6);
    assert_string_equal(command_operand(&command, 1, &len), "VALUE");
    assert_int_equal(len, 5);
    assert_null(command_operand(&command, 2, &len));
    assert_null(command_operand(&(struct command){0}, 0, &len));
}

static void there_are_as_many_operands_as_the_row_names(void **state)
{
    static const char *const rows[] = {NULL, "SWITCH", "SWITCH VALUE", "SWITCH VALUE EXPECTED"};
    (void)state;
    for (size_t count = 0; count < COUNT(rows); count++) {
        struct command command = {.operands = rows[count]};
        size_t len;
        for (size_t i = 0; i < count; i++)
            assert_non_null(command_operand(&command, i, &len));
        assert_null(command_operand(&command, count, &len));
    }
}

static void every_command_is_whole_and_found(void **state)
{
    const struct command_table *table = program_table();
    (void)state;
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        size_t len;
        assert_ptr_equal(command_find(table, command->group, command->name), command);
        assert_non_null(command->run);
        assert_true(command->summary[0] >= 'a' && command->summary[0] <= 'z');
        assert_true(command->option_count <= COMMAND_OPTIONS_MAX);
        assert_null(command_operand(command, COMMAND_OPERANDS_MAX, &len));
        assert_true(!command->group || command_group(table, command->group) != NULL);
    }
}

static void no_command_has_two_options_of_one_name(void **state)
{
    const struct command_table *table = program_table();
    (void)state;
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        for (size_t k = 0; k < command->option_count; k++) {
            const char *name = option_row(command->options[k])->name;
            for (size_t m = 0; m < k; m++)
                assert_string_not_equal(option_row(command->options[m])->name, name);
        }
    }
}

/* Before the command is known, it has to be known what belongs to an option. */
static void an_option_takes_a_value_in_all_commands_or_in_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct option_row *a = option_row((enum option_id)i);
            const struct option_row *b = option_row((enum option_id)k);
            assert_true(strcmp(a->name, b->name) != 0 || !a->argument == !b->argument);
        }
    }
}

static void no_command_has_an_option_of_a_global_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        for (size_t k = 0; k < OPTION_GLOBAL_COUNT && k < i; k++)
            assert_string_not_equal(option_row((enum option_id)i)->name,
                                    option_row((enum option_id)k)->name);
}

static void words_are_groups_and_commands_without_the_hidden(void **state)
{
    const struct command_table *table = program_table();
    bool has_serve = false, has_man = false;
    const char *word;
    (void)state;
    assert_string_equal(command_word(table, NULL, 0), "service");
    assert_string_equal(command_word(table, "switch", 0), "set");
    for (size_t i = 0; (word = command_word(table, NULL, i)); i++) {
        has_serve = has_serve || strcmp(word, "serve") == 0;
        has_man = has_man || strcmp(word, "man") == 0;
    }
    assert_true(has_serve);
    assert_false(has_man);
    assert_null(command_word(table, "nothing", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_counts_insertions_deletions_exchanges),
        cmocka_unit_test(a_mistyped_command_means_the_nearest),
        cmocka_unit_test(a_mistyped_option_means_what_is_near),
        cmocka_unit_test(operands_have_names),
        cmocka_unit_test(there_are_as_many_operands_as_the_row_names),
        cmocka_unit_test(an_option_takes_a_value_in_all_commands_or_in_none),
        cmocka_unit_test(no_command_has_an_option_of_a_global_name),
        cmocka_unit_test(every_command_is_whole_and_found),
        cmocka_unit_test(no_command_has_two_options_of_one_name),
        cmocka_unit_test(words_are_groups_and_commands_without_the_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
