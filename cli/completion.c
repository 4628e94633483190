#include "completion.h"

#include "command.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE 64

static void print_words(const struct command_table *table, const char *group)
{
    const char *word;
    for (size_t i = 0; (word = command_word(table, group, i)); i++)
        printf("%s%s", i ? " " : "", word);
}

static void print_options(const enum option_id *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("--%s ", option_row(options[i])->name);
    fputs("--help", stdout);
}

static void print_global_options(void)
{
    for (size_t i = 0; i < OPTION_GLOBAL_COUNT; i++)
        printf("--%s ", option_row((enum option_id)i)->name);
    fputs("--help --version", stdout);
}

/* "a|b" as "a b". */
static void print_choices(const char *text)
{
    for (; *text; text++)
        putchar(*text == '|' ? ' ' : *text);
}

static const char *choices(const struct option_row *row)
{
    return row->kind == OPTION_LEVEL ? "DEBUG|INFO|WARNING|ERROR" : row->argument;
}

static bool is_file(const struct option_row *row)
{
    return row->argument &&
           (strcmp(row->argument, "FILE") == 0 || strcmp(row->argument, "DIR") == 0);
}

/* Whether another row of the same name and kind came before: one case suffices. */
static bool is_repeated(size_t id)
{
    for (size_t i = 0; i < id; i++) {
        if (strcmp(option_row((enum option_id)i)->name, option_row((enum option_id)id)->name) == 0)
            return true;
    }
    return false;
}

/* Options that are followed by a value: by a word of a few, by a file, by something else. */
static void print_value_cases(void)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        if (!row->argument || is_repeated(i))
            continue;
        printf("    --%s) ", row->name);
        if (row->kind == OPTION_CHOICE || row->kind == OPTION_LEVEL) {
            fputs("words=\"", stdout);
            print_choices(choices(row));
            puts("\" ;;");
        } else {
            puts(is_file(row) ? "files=yes ;;" : "words= ;;");
        }
    }
}

static void print_option_arms(const char *indent)
{
    printf("%s", indent);
    bool has_one = false;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        if (!row->argument || is_repeated(i))
            continue;
        printf("%s--%s", has_one ? " | " : "", row->name);
        has_one = true;
    }
    puts(") skip=yes ;;");
}

static void print_command_cases(const struct command_table *table)
{
    for (size_t i = 0; i < table->group_count; i++) {
        printf("    %s) words=\"", table->groups[i].name);
        print_words(table, table->groups[i].name);
        puts(" --help\" ;;");
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        char name[NAME_SIZE];
        if (command->is_hidden)
            continue;
        command_full_name(command, name, sizeof(name));
        printf("    \"%s\") words=\"", name);
        if (command->run == completion_command)
            fputs("bash zsh fish ", stdout);
        print_options(command->options, command->option_count);
        puts("\" ;;");
    }
}

/* For bash, and for zsh through its bashcompinit. */
static void print_bash(const struct command_table *table)
{
    puts("# empusa completion bash: source it, or put it into bash-completion's folder.\n"
         "_empusa() {\n"
         "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
         "    local command='' skip='' words='' files='' word i\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "        word=${COMP_WORDS[i]}\n"
         "        if [ -n \"$skip\" ]; then skip=; continue; fi\n"
         "        case $word in");
    print_option_arms("        ");
    puts("        -* | =) ;;\n"
         "        *) case $command in\n"
         "            '') command=$word ;;");
    printf("            ");
    for (size_t i = 0; i < table->group_count; i++)
        printf("%s%s", i ? " | " : "", table->groups[i].name);
    puts(") command=\"$command $word\" ;;\n"
         "            esac ;;\n"
         "        esac\n"
         "    done");
    puts("    case $command in");
    fputs("    '') words=\"", stdout);
    print_words(table, NULL);
    putchar(' ');
    print_global_options();
    puts("\" ;;");
    print_command_cases(table);
    puts("    esac\n"
         "    case $previous in");
    print_value_cases();
    puts("    esac\n"
         "    if [ -n \"$files\" ]; then\n"
         "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "    else\n"
         "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "    fi\n"
         "}\n"
         "complete -F _empusa empusa");
}

static void print_zsh(const struct command_table *table)
{
    puts("#compdef empusa\n"
         "# empusa completion zsh: put it as _empusa into a folder of $fpath, or source it.\n"
         "autoload -Uz compinit bashcompinit\n"
         "(( $+functions[compdef] )) || compinit\n"
         "bashcompinit");
    print_bash(table);
}

/* A description between single quotes. */
static void print_quoted(const char *text)
{
    for (; *text; text++)
        fputs(*text == '\'' ? "\\'" : (char[]){*text, '\0'}, stdout);
}

static void print_fish_option(const char *condition, const struct option_row *row)
{
    printf("complete -c empusa -n \"%s\" -l %s ", condition, row->name);
    if (row->kind == OPTION_CHOICE || row->kind == OPTION_LEVEL) {
        fputs("-xa '", stdout);
        print_choices(choices(row));
        fputs("' ", stdout);
    } else if (row->argument) {
        fputs(is_file(row) ? "-rF " : "-x ", stdout);
    }
    fputs("-d '", stdout);
    print_quoted(row->help);
    puts("'");
}

static void print_fish_command(const struct command *command)
{
    char condition[256];
    if (command->group)
        snprintf(condition, sizeof(condition),
                 "__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s",
                 command->group, command->name);
    else
        snprintf(condition, sizeof(condition), "__fish_seen_subcommand_from %s", command->name);
    for (size_t i = 0; i < command->option_count; i++)
        print_fish_option(condition, option_row(command->options[i]));
}

static void print_fish_word(const struct command_table *table, const char *group, const char *word,
                            const char *summary)
{
    if (group) {
        printf("complete -c empusa -n \"__fish_seen_subcommand_from %s; and not "
               "__fish_seen_subcommand_from ",
               group);
        print_words(table, group);
        fputs("\" ", stdout);
    } else {
        fputs("complete -c empusa -n __fish_use_subcommand ", stdout);
    }
    printf("-a %s -d '", word);
    print_quoted(summary);
    puts("'");
}

static void print_fish(const struct command_table *table)
{
    puts("# empusa completion fish: put it as empusa.fish into ~/.config/fish/completions.\n"
         "complete -c empusa -f");
    for (size_t i = 0; i < OPTION_GLOBAL_COUNT; i++)
        print_fish_option("__fish_use_subcommand", option_row((enum option_id)i));
    for (size_t i = 0; i < table->group_count; i++)
        print_fish_word(table, NULL, table->groups[i].name, table->groups[i].summary);
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        if (command->is_hidden)
            continue;
        print_fish_word(table, command->group, command->name, command->summary);
        print_fish_command(command);
    }
    puts("complete -c empusa -n \"__fish_seen_subcommand_from completion\" -a 'bash zsh fish'");
}

int completion_command(struct call *call)
{
    static const struct {
        const char *shell;
        void (*print)(const struct command_table *table);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(call->operands[0], shells[i].shell) == 0) {
            shells[i].print(call->table);
            return output_finish(&call->log, 0);
        }
    }
    log_printf(&call->log, LOG_LEVEL_ERROR, "SHELL \"%s\": not one of bash, zsh, fish",
               call->operands[0]);
    return 2;
}
