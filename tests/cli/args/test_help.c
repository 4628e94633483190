#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/args/help.h"
#include "cli/program.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WIDTH        80

static void words_are_wrapped(void **state)
{
    static const struct {
        const char *text;
        size_t indent, width;
        const char *expected;
    } rows[] = {
        {"one two three", 0, 80, "one two three\n"},
        {"one two three", 2, 9, "  one two\n  three\n"},
        {"one two three", 2, 8, "  one\n  two\n  three\n"},
        {"long-long-long x", 1, 5, " long-long-long\n x\n"},
        {"one\ntwo", 1, 80, " one\n two\n"},
        {"", 4, 80, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&text, &size);
        help_wrap(rows[i].text, rows[i].indent, rows[i].width, file);
        fclose(file);
        assert_string_equal(text, rows[i].expected);
        free(text);
    }
}

static char *help_of(const struct command *command)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    if (command)
        help_command(command, file);
    else
        help_program(program_table(), file);
    fclose(file);
    return text;
}

static void check_width(const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        if (len > WIDTH)
            print_message("%.*s\n", (int)len, text);
        assert_true(len <= WIDTH);
        text += len + (text[len] == '\n');
    }
}

static void check_option(const char *text, const struct option_row *row)
{
    char name[64];
    snprintf(name, sizeof(name), "  --%s%s%s\n", row->name, row->argument ? " " : "",
             row->argument ? row->argument : "");
    assert_non_null(strstr(text, name));
    assert_true(!row->variable || strstr(text, row->variable));
    assert_true(!row->fallback || strstr(text, row->fallback));
}

static void every_option_is_in_the_help_of_its_command(void **state)
{
    const struct command_table *table = program_table();
    (void)state;
    for (size_t i = 0; i < table->count; i++) {
        char *text = help_of(&table->commands[i]);
        for (size_t k = 0; k < table->commands[i].option_count; k++)
            check_option(text, option_row(table->commands[i].options[k]));
        check_width(text);
        free(text);
    }
}

static void the_help_of_all_names_every_command_and_global_option(void **state)
{
    const struct command_table *table = program_table();
    char *text = help_of(NULL);
    (void)state;
    for (size_t i = 0; i < OPTION_GLOBAL_COUNT; i++)
        check_option(text, option_row((enum option_id)i));
    for (size_t i = 0; i < table->count; i++) {
        char line[80];
        snprintf(line, sizeof(line), "\n  %s ", table->commands[i].full_name);
        assert_int_equal(strstr(text, line) != NULL, !table->commands[i].is_hidden);
    }
    check_width(text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_wrapped),
        cmocka_unit_test(every_option_is_in_the_help_of_its_command),
        cmocka_unit_test(the_help_of_all_names_every_command_and_global_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
