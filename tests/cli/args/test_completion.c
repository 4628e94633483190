/* What the shells do with it is tested in tests/end/test_completion.py. */
#include "cli/args/help.h"

#include "cli/program.h"
#include "support/printed.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct command few[] = {
    {.summary = "make 'some'",
     COMMAND_IN("tea", "brew"),
     .options = {OPTION_FORMAT, OPTION_NO_SWITCHES, OPTION_CONFIG},
     .option_count = 3},
    {.summary = "rinse", COMMAND_NAMED("rinse"), .is_hidden = true},
};
static const struct command_group groups[] = {{"tea", "hot"}};
static const struct command_table table = {few, COUNT(few), groups, COUNT(groups)};

static void check_lines(const char *shell, const char *const *lines, size_t count)
{
    char *text = printed_by(completion_command, &table, shell, 0, "");
    for (size_t i = 0; i < count; i++) {
        if (!strstr(text, lines[i]))
            fail_msg("%s: no line %s", shell, lines[i]);
    }
    assert_null(strstr(text, "rinse"));
    free(text);
}

static void bash_and_zsh_know_words_flags_and_values(void **state)
{
    static const char *const lines[] = {
        "    '') names='tea ' ;;\n",
        "    tea) names='brew ' ;;\n",
        "    'tea brew') flags='--format --no-switches --config ' ;;\n",
        "    --format) candidates='table json' ;;\n",
        "    --log-level) candidates='DEBUG INFO WARNING ERROR' ;;\n",
        "    --config) files=yes ;;\n",
        "        tea) command=\"$command $word\" ;;\n",
    };
    (void)state;
    check_lines("bash", lines, COUNT(lines));
    check_lines("zsh", lines, COUNT(lines));
}

static void fish_has_a_line_for_each_word_and_option(void **state)
{
    static const char *const lines[] = {
        "complete -c empusa -n '__empusa_is ' -a tea -d 'hot'\n",
        "complete -c empusa -n '__empusa_is tea' -a brew -d 'make \\'some\\''\n",
        "complete -c empusa -n '__empusa_in tea brew' -l format -xa 'table json' -d ",
        "complete -c empusa -n '__empusa_in tea brew' -l no-switches -d ",
        "complete -c empusa -n '__empusa_in tea brew' -l config -rF -d ",
        "complete -c empusa -n 'true' -l tree-root -x -d ",
    };
    (void)state;
    check_lines("fish", lines, COUNT(lines));
}

static void every_option_and_command_of_the_program_is_known(void **state)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    const struct command_table *all = program_table();
    (void)state;
    for (size_t i = 0; i < COUNT(shells); i++) {
        char *text = printed_by(completion_command, all, shells[i], 0, "");
        for (size_t k = 0; k < OPTION_COUNT; k++)
            assert_true(printed_has_word(text, option_row((enum option_id)k)->name));
        for (size_t k = 0; k < all->count; k++)
            assert_true(all->commands[k].is_hidden ||
                        printed_has_word(text, all->commands[k].name));
        free(text);
    }
}

static void another_shell_is_wrong_usage(void **state)
{
    (void)state;
    char *text = printed_by(completion_command, &table, "tcsh", 2,
                            "ERROR:SHELL \"tcsh\": not one of bash, zsh, fish\n");
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bash_and_zsh_know_words_flags_and_values),
        cmocka_unit_test(fish_has_a_line_for_each_word_and_option),
        cmocka_unit_test(every_option_and_command_of_the_program_is_known),
        cmocka_unit_test(another_shell_is_wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
