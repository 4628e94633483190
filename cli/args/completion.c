/* What stands on the line is found as parse.c does it: options may be anywhere, and what belongs to
 * one is no word of the command. bash splits the words of a line at each ':' and '=' as well, so
 * they are put together again; fish and zsh do not. */
#include "help.h"

#include "cli/text/output.h"

#include <stdio.h>
#include <string.h>

static void completion_print_words(const struct command_table *table, const char *group)
{
    const char *word;
    for (size_t i = 0; (word = command_word(table, group, i)); i++)
        printf("%s ", word);
}

/* "a|b", or NULL: any value will do. Of the levels those that help names; what else is taken is for
 * old scripts. */
static const char *completion_choices(const struct option_row *row)
{
    return row->kind == OPTION_LEVEL    ? "DEBUG|INFO|WARNING|ERROR"
           : row->kind == OPTION_CHOICE ? row->argument
                                        : NULL;
}

/* "a|b" as 'a b'. */
static void completion_print_choices(const char *text)
{
    putchar('\'');
    for (; *text; text++)
        putchar(*text == '|' ? ' ' : *text);
    putchar('\'');
}

/* By what help calls the value: a row need not say it twice. */
static bool completion_is_file(const struct option_row *row)
{
    return row->argument &&
           (strcmp(row->argument, "FILE") == 0 || strcmp(row->argument, "DIR") == 0);
}

/* Whether another row of the same name and kind came before: one case suffices. */
static bool completion_is_repeated(size_t id)
{
    for (size_t i = 0; i < id; i++) {
        if (strcmp(option_row((enum option_id)i)->name, option_row((enum option_id)id)->name) == 0)
            return true;
    }
    return false;
}

/* Options that are followed by a value: by a word of a few, by a file, by something else. */
static void completion_print_value_cases(void)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        const char *choices = completion_choices(row);
        if (!(choices || completion_is_file(row)) || completion_is_repeated(i))
            continue;
        printf("    --%s) %s", row->name, choices ? "candidates=" : "files=yes");
        if (choices)
            completion_print_choices(choices);
        puts(" ;;");
    }
}

/* "--a<between>--b ...": all options that are followed by a value. */
static void completion_print_valued_options(const char *between)
{
    bool has_one = false;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        if (!row->argument || completion_is_repeated(i))
            continue;
        printf("%s--%s", has_one ? between : "", row->name);
        has_one = true;
    }
}

/* By the words that are found: a group is followed by its commands, a command by its own
 * options. */
static void completion_print_command_cases(const struct command_table *table)
{
    for (size_t i = 0; i < table->group_count; i++) {
        printf("    %s) names='", table->groups[i].name);
        completion_print_words(table, table->groups[i].name);
        puts("' ;;");
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        if (command->is_hidden)
            continue;
        printf("    '%s') ", command->full_name);
        if (command->run == completion_command)
            fputs("names='bash zsh fish' ", stdout);
        fputs("flags='", stdout);
        for (size_t k = 0; k < command->option_count; k++)
            printf("--%s ", option_row(command->options[k])->name);
        puts("' ;;");
    }
}

/* In parts[0..count-1] are the words as far as the cursor; found are what is being typed, in
 * `current` without the "--option=" that may stand before it in `prefix`, and what may be meant. In
 * pieces, between which completion_print_sh() puts the words of the rows. */
static const char find_head[] = "_empusa_find() {\n"
                                "    local command='' option='' ended='' names='' flags='' word i\n"
                                "    current=${parts[count - 1]} prefix='' files=''\n"
                                "    for ((i = 1; i < count - 1; i++)); do\n"
                                "        word=${parts[i]}\n"
                                "        if [[ -n $option ]]; then\n"
                                "            option=''\n"
                                "            continue\n"
                                "        fi\n"
                                "        [[ -n $ended ]] || case $word in\n"
                                "        --) ended=yes; continue ;;\n"
                                "        ";

static const char find_words[] = ") option=$word; continue ;;\n"
                                 "        -*) continue ;;\n"
                                 "        esac\n"
                                 "        case $command in\n"
                                 "        '') command=$word ;;\n"
                                 "        ";

static const char find_middle[] =
    ") command=\"$command $word\" ;;\n"
    "        esac\n"
    "    done\n"
    "    if [[ -z $option && -z $ended && $current == --*=* ]]; then\n"
    "        option=${current%%=*}\n"
    "        prefix=$option=\n"
    "        current=${current#*=}\n"
    "    fi\n"
    "    case $command in\n"
    "    '') names='";

/* bash has cut "--a=b:c" into words: those between which COMP_LINE has no blank are one. Where
 * there is no COMP_LINE, a word of nothing but ':', '=' and '@' is taken to be one with its
 * neighbours. And what is put into COMPREPLY takes the place of the last of bash's words alone, so
 * the candidates lose what stands before that (`cut`). */
static const char bash_functions[] =
    "\n"
    "# bash splits the words at what is in COMP_WORDBREAKS, too.\n"
    "_empusa_join() {\n"
    "    local rest=$COMP_LINE word gap last='' glue i\n"
    "    count=0\n"
    "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]} glue=''\n"
    "        if [[ -n $COMP_LINE ]]; then\n"
    "            gap=${rest%%[![:blank:]]*}\n"
    "            rest=${rest#\"$gap\"}\n"
    "            rest=${rest#\"$word\"}\n"
    "            [[ -n $gap ]] || glue=yes\n"
    "        elif [[ -n $word && ($word != *[!:=@]* || ($last != *[!:=@]* && -n $last)) ]]; then\n"
    "            glue=yes\n"
    "        fi\n"
    "        if [[ -n $glue ]] && ((count > 0)); then\n"
    "            parts[count - 1]=${parts[count - 1]}$word\n"
    "        else\n"
    "            parts[count]=$word\n"
    "            count=$((count + 1))\n"
    "        fi\n"
    "        last=$word\n"
    "    done\n"
    "}\n"
    "\n"
    "_empusa() {\n"
    "    local -a parts\n"
    "    local count current prefix candidates files full cut='' word i IFS=$' \\t\\n'\n"
    "    _empusa_join\n"
    "    _empusa_find\n"
    "    # What stands before the last of these is not replaced.\n"
    "    full=$prefix$current\n"
    "    for word in : = @; do\n"
    "        if [[ $COMP_WORDBREAKS == *\"$word\"* && $full == *\"$word\"* ]]; then\n"
    "            word=${full%\"${full##*\"$word\"}\"}\n"
    "            ((${#word} <= ${#cut})) || cut=$word\n"
    "        fi\n"
    "    done\n"
    "    if [[ -n $files ]]; then\n"
    "        IFS=$'\\n'\n"
    "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
    "        compopt -o filenames 2>/dev/null\n"
    "    else\n"
    "        COMPREPLY=($(compgen -W \"$candidates\" -- \"$current\"))\n"
    "    fi\n"
    "    for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do\n"
    "        word=$prefix${COMPREPLY[i]}\n"
    "        COMPREPLY[i]=${word#\"$cut\"}\n"
    "    done\n"
    "}\n"
    "complete -F _empusa empusa";

/* emulate -L holds for the function around it: an anonymous one, as _files and compadd need zsh as
 * it is. */
static const char zsh_functions[] =
    "\n"
    "_empusa() {\n"
    "    local -a parts\n"
    "    local count=$CURRENT current prefix candidates files\n"
    "    parts=(\"${(@)words[1,CURRENT]}\")\n"
    "    () { emulate -L sh; _empusa_find }\n"
    "    [[ -z $prefix ]] || compset -P 1 '*='\n"
    "    if [[ -n $files ]]; then\n"
    "        _files\n"
    "    else\n"
    "        compadd -- ${=candidates}\n"
    "    fi\n"
    "}\n"
    "\n"
    "# Loaded from $fpath by the first completion, it has to make that, too.\n"
    "if [[ $funcstack[1] == _empusa ]]; then\n"
    "    _empusa\n"
    "else\n"
    "    (( $+functions[compdef] )) || { autoload -Uz compinit; compinit }\n"
    "    compdef _empusa empusa\n"
    "fi";

/* For bash and zsh, which differ in what fills parts[] and takes the candidates; zsh emulates sh,
 * in which arrays begin at 0. */
static void completion_print_sh(const struct command_table *table, const char *head,
                                const char *functions)
{
    puts(head);
    fputs(find_head, stdout);
    completion_print_valued_options(" | ");
    fputs(find_words, stdout);
    for (size_t i = 0; i < table->group_count; i++)
        printf("%s%s", i ? " | " : "", table->groups[i].name);
    fputs(find_middle, stdout);
    completion_print_words(table, NULL);
    puts("' ;;");
    completion_print_command_cases(table);
    fputs("    esac\n"
          "    [[ -n $ended ]] || names=\"$names $flags ",
          stdout);
    for (size_t i = 0; i < OPTION_GLOBAL_COUNT; i++)
        printf("--%s ", option_row((enum option_id)i)->name);
    puts("--help --version\"\n"
         "    candidates=''\n"
         "    case $option in\n"
         "    '') candidates=$names ;;");
    completion_print_value_cases();
    puts("    esac\n"
         "}");
    puts(functions);
}

/* A description. Between single quotes fish, unlike sh, knows \' for one of them. */
static void completion_print_quoted(const char *text)
{
    for (; *text; text++)
        fputs(*text == '\'' ? "\\'" : (char[]){*text, '\0'}, stdout);
}

/* Of this command, or (NULL) of all. To fish -x is a value that is no file, -r a value, and -F
 * allows files again, which the first line of the script forbids. */
static void completion_print_fish_option(const char *command, const struct option_row *row)
{
    const char *choices = completion_choices(row);
    printf("complete -c empusa -n '%s%s' -l %s", command ? "__empusa_in " : "true",
           command ? command : "", row->name);
    if (choices) {
        fputs(" -xa ", stdout);
        completion_print_choices(choices);
    } else if (row->argument) {
        fputs(completion_is_file(row) ? " -rF" : " -x", stdout);
    }
    fputs(" -d '", stdout);
    completion_print_quoted(row->help);
    puts("'");
}

static void completion_print_fish_word(const char *group, const char *word, const char *summary)
{
    printf("complete -c empusa -n '__empusa_is %s' -a %s -d '", group ? group : "", word);
    completion_print_quoted(summary);
    puts("'");
}

/* fish's own __fish_use_subcommand takes the value of an option for a command. */
static void completion_print_fish_functions(void)
{
    fputs("# empusa completion fish: put it as empusa.fish into ~/.config/fish/completions.\n"
          "function __empusa_words -d 'the words before the cursor that are no options'\n"
          "    set -l skip\n"
          "    set -l ended\n"
          "    set -l tokens (commandline -opc)\n"
          "    for token in $tokens[2..-1]\n"
          "        if test -n \"$skip\"\n"
          "            set skip\n"
          "            continue\n"
          "        end\n"
          "        if test -n \"$ended\"\n"
          "            echo -- $token\n"
          "            continue\n"
          "        end\n"
          "        switch $token\n"
          "            case --\n"
          "                set ended yes\n"
          "            case ",
          stdout);
    completion_print_valued_options(" ");
    puts("\n"
         "                set skip yes\n"
         "            case '-*'\n"
         "            case '*'\n"
         "                echo -- $token\n"
         "        end\n"
         "    end\n"
         "end\n"
         "function __empusa_is -d 'whether these are all of them'\n"
         "    set -l words (__empusa_words)\n"
         "    test \"$words\" = \"$argv\"\n"
         "end\n"
         "function __empusa_in -d 'whether they begin with these'\n"
         "    set -l words (__empusa_words)\n"
         "    set -l count (count $argv)\n"
         "    test \"$words[1..$count]\" = \"$argv\"\n"
         "end\n"
         "complete -c empusa -f\n"
         "complete -c empusa -s h -l help -d 'show help, also that of a command'\n"
         "complete -c empusa -l version -d 'show the version'");
}

static void completion_print_fish(const struct command_table *table)
{
    completion_print_fish_functions();
    for (size_t i = 0; i < OPTION_GLOBAL_COUNT; i++)
        completion_print_fish_option(NULL, option_row((enum option_id)i));
    for (size_t i = 0; i < table->group_count; i++)
        completion_print_fish_word(NULL, table->groups[i].name, table->groups[i].summary);
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        if (command->is_hidden)
            continue;
        completion_print_fish_word(command->group, command->name, command->summary);
        for (size_t k = 0; k < command->option_count; k++)
            completion_print_fish_option(command->full_name, option_row(command->options[k]));
    }
    puts("complete -c empusa -n '__empusa_is completion' -a 'bash zsh fish'");
}

int completion_command(struct call *call)
{
    const char *shell = call->operands[0];
    if (strcmp(shell, "bash") == 0) {
        completion_print_sh(
            call->table,
            "# empusa completion bash: source it, or put it into bash-completion's folder.",
            bash_functions);
    } else if (strcmp(shell, "zsh") == 0) {
        completion_print_sh(
            call->table,
            "#compdef empusa\n"
            "# empusa completion zsh: put it as _empusa into a folder of $fpath, or source it.",
            zsh_functions);
    } else if (strcmp(shell, "fish") == 0) {
        completion_print_fish(call->table);
    } else {
        log_printf(&call->log, LOG_LEVEL_ERROR, "SHELL \"%s\": not one of bash, zsh, fish", shell);
        return 2;
    }
    return output_finish(&call->log, 0);
}
