#include "help.h"

#include <string.h>

#define WIDTH         80
#define OPTION_INDENT 10
#define COMMAND_WIDTH 33 /* "switch cas SWITCH VALUE EXPECTED" has 32 */
#define SHOWN_SIZE    128
#define FACTS_SIZE    256

/* No word is broken, so that names can be copied: one that is longer than a line sticks out. */
void help_wrap(const char *text, size_t indent, size_t width, FILE *file)
{
    size_t column = 0;
    while (*text) {
        size_t len = strcspn(text, " \n");
        if (column > 0 && column + 1 + len > width) {
            fputc('\n', file);
            column = 0;
        }
        if (len > 0) {
            fprintf(file, "%*s%.*s", column ? 1 : (int)indent, "", (int)len, text);
            column += (column ? 1 : indent) + len;
        }
        text += len;
        if (*text == '\n') {
            fputc('\n', file);
            column = 0;
        }
        text += *text != '\0';
    }
    if (column > 0)
        fputc('\n', file);
}

static void help_fact(char *out, size_t size, const char *word, const char *text)
{
    size_t len = strlen(out);
    snprintf(out + len, size - len, "%s%s%s", len > 0 ? ", " : "", word, text);
}

/* In the order in which they are looked at: what the first does not have, the next may. */
void help_facts(const struct option_row *row, char *out, size_t size)
{
    out[0] = '\0';
    if (row->variable)
        help_fact(out, size, "variable ", row->variable);
    if (row->second_variable)
        help_fact(out, size, "then ", row->second_variable);
    if (row->fallback || row->default_help)
        help_fact(out, size, "default ", row->fallback ? row->fallback : row->default_help);
    if (row->kind == OPTION_LIST)
        help_fact(out, size, "repeatable, or a list with commas or blanks", "");
    if (row->kind == OPTION_REPEATED)
        help_fact(out, size, "repeatable", "");
    if (row->is_required)
        help_fact(out, size, "required", "");
}

static void help_print_option(const struct option_row *row, FILE *file)
{
    char facts[FACTS_SIZE];
    help_facts(row, facts, sizeof(facts));
    fprintf(file, "  --%s%s%s\n", row->name, row->argument ? " " : "",
            row->argument ? row->argument : "");
    help_wrap(row->help, OPTION_INDENT, WIDTH, file);
    if (*facts) {
        char shown[FACTS_SIZE + 2];
        snprintf(shown, sizeof(shown), "(%s)", facts);
        help_wrap(shown, OPTION_INDENT, WIDTH, file);
    }
}

static void help_print_flag(const char *flag, const char *help, FILE *file)
{
    fprintf(file, "  %s\n", flag);
    help_wrap(help, OPTION_INDENT, WIDTH, file);
}

static void help_print_command(const struct command *command, FILE *file)
{
    char shown[SHOWN_SIZE];
    snprintf(shown, sizeof(shown), "%s%s%s", command->full_name, command->operands ? " " : "",
             command->operands ? command->operands : "");
    fprintf(file, "  %-*s %s\n", COMMAND_WIDTH, shown, command->summary);
}

/* group NULL: of all groups, so that a person who knows none finds every command in one list. */
static void help_print_commands(const struct command_table *table, const char *group, FILE *file)
{
    fputs("\nCommands:\n", file);
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        bool is_asked = !group || (command->group && strcmp(group, command->group) == 0);
        if (is_asked && !command->is_hidden)
            help_print_command(command, file);
    }
}

void help_program(const struct command_table *table, FILE *file)
{
    fputs("Usage: empusa COMMAND [OPERAND...] [OPTION...]\n\n"
          "A service registry on etcd whose contents are also DNS.\n",
          file);
    help_print_commands(table, NULL, file);
    fputs("\nOptions of every command, anywhere on the line:\n", file);
    for (size_t i = 0; i < OPTION_GLOBAL_COUNT; i++)
        help_print_option(option_row((enum option_id)i), file);
    help_print_flag("-h, --help", "show this, or the help of a command, and exit", file);
    help_print_flag("--version", "show the version and exit", file);
    fputc('\n', file);
    help_wrap(
        "An option wins over its variable in the environment, and that over the same one in the "
        "file of --config; an empty variable counts as unset. Behind -- nothing is an option. "
        "Messages go to standard error, results to standard output. Exit status: 0 done, 1 not "
        "done, 2 wrong usage.\nSee also: empusa COMMAND --help",
        0, WIDTH, file);
}

void help_group(const struct command_table *table, const struct command_group *group, FILE *file)
{
    fprintf(file, "Usage: empusa %s COMMAND [OPERAND...] [OPTION...]\n\n", group->name);
    help_wrap(group->summary, 0, WIDTH, file);
    help_print_commands(table, group->name, file);
    fprintf(file,
            "\nSee also: empusa %s COMMAND --help, and empusa --help for the options of every\n"
            "command.\n",
            group->name);
}

/* Without the options of every command, which would bury its own. */
void help_command(const struct command *command, FILE *file)
{
    fprintf(file, "Usage: empusa %s%s%s [OPTION...]\n\n%c", command->full_name,
            command->operands ? " " : "", command->operands ? command->operands : "",
            command->summary[0] - ('a' - 'A'));
    help_wrap(command->summary + 1, 0, WIDTH, file);
    if (command->text) {
        fputc('\n', file);
        help_wrap(command->text, 0, WIDTH, file);
    }
    fputs("\nOptions:\n", file);
    for (size_t i = 0; i < command->option_count; i++)
        help_print_option(option_row(command->options[i]), file);
    help_print_flag("-h, --help", "show this and exit", file);
    fputs("\nThe options of every command: empusa --help\n", file);
}
