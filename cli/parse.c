#include "parse.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_SHOWN 64

/* Where in the command line we are. */
struct cursor {
    int argc;
    char **argv;
    int at;
    const struct command_table *table;
    struct call *call;
    struct parse_result *result;
    struct detail *why;
};

/* Of an argument: --name[=value]. */
struct word {
    const char *name;
    size_t name_len;
    const char *value; /* NULL: no '=' */
};

/* `status` is what detail_set() gives back. */
static enum parse_verdict wrong(enum status status)
{
    (void)status;
    return PARSE_WRONG;
}

static void split(const char *argument, struct word *out)
{
    out->name = argument + 2;
    out->name_len = strcspn(out->name, "=");
    out->value = out->name[out->name_len] == '=' ? out->name + out->name_len + 1 : NULL;
}

static bool is_named(const struct word *word, const char *name)
{
    return strlen(name) == word->name_len && memcmp(name, word->name, word->name_len) == 0;
}

/* The options that may stand here: the command's, or before it the global ones. */
static size_t option_count(const struct cursor *cursor)
{
    const struct command *command = cursor->call->command;
    return command ? command->option_count : OPTION_GLOBAL_COUNT;
}

static enum option_id option_at(const struct cursor *cursor, size_t i)
{
    const struct command *command = cursor->call->command;
    return command ? command->options[i] : (enum option_id)i;
}

static bool is_global(const struct word *word)
{
    for (size_t i = 0; i < OPTION_GLOBAL_COUNT; i++) {
        if (is_named(word, option_row((enum option_id)i)->name))
            return true;
    }
    return false;
}

static enum parse_verdict unknown(struct cursor *cursor, const struct word *word)
{
    char typed[NAME_MAX_SHOWN];
    snprintf(typed, sizeof(typed), "%.*s", (int)word->name_len, word->name);
    if (cursor->call->command && is_global(word))
        return wrong(
            detail_set(cursor->why, STATUS_BAD_INPUT, "--%s stands before the command", typed));
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < option_count(cursor); i++) {
        const char *name = option_row(option_at(cursor, i))->name;
        size_t distance = command_distance(typed, name);
        if (distance < best_distance) {
            best = name;
            best_distance = distance;
        }
    }
    if (best && command_is_near(typed, best, best_distance))
        return wrong(detail_set(cursor->why, STATUS_BAD_INPUT, "no option --%s: did you mean --%s?",
                                typed, best));
    return wrong(detail_set(cursor->why, STATUS_BAD_INPUT, "no option --%s: see --help", typed));
}

static enum parse_verdict take(struct cursor *cursor, enum option_id id, const struct word *word)
{
    const struct option_row *row = option_row(id);
    const char *value = word->value;
    if (!row->argument && value)
        return wrong(detail_set(cursor->why, STATUS_BAD_INPUT, "--%s \"%s\": it takes no value",
                                row->name, value));
    if (row->argument && !value) {
        if (cursor->at >= cursor->argc)
            return wrong(detail_set(cursor->why, STATUS_BAD_INPUT, "--%s needs a value: %s",
                                    row->name, row->argument));
        value = cursor->argv[cursor->at++];
    }
    enum status status = options_set(&cursor->call->options, id, value, cursor->why);
    return status == STATUS_OK ? PARSE_RUN : PARSE_WRONG;
}

static enum parse_verdict option(struct cursor *cursor, const char *argument)
{
    struct word word;
    split(argument, &word);
    if (is_named(&word, "help"))
        return PARSE_HELP;
    if (is_named(&word, "version") && !cursor->call->command)
        return PARSE_VERSION;
    for (size_t i = 0; i < option_count(cursor); i++) {
        enum option_id id = option_at(cursor, i);
        if (is_named(&word, option_row(id)->name))
            return take(cursor, id, &word);
    }
    return unknown(cursor, &word);
}

static bool is_option(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-' && argument[2] != '\0';
}

static bool is_short_option(const char *argument)
{
    return argument[0] == '-' && argument[1] != '\0' && argument[1] != '-' &&
           !(argument[1] >= '0' && argument[1] <= '9');
}

static enum parse_verdict no_such(struct cursor *cursor, const char *group, const char *word)
{
    char meant[NAME_MAX_SHOWN];
    const char *before = group ? group : "", *blank = group ? " " : "";
    if (command_nearest(cursor->table, group, word, meant, sizeof(meant)))
        return wrong(detail_set(cursor->why, STATUS_BAD_INPUT,
                                "no command \"%s%s%s\": did you mean \"%s\"?", before, blank, word,
                                meant));
    return wrong(detail_set(cursor->why, STATUS_BAD_INPUT,
                            "no command \"%s%s%s\": see empusa %s%s--help", before, blank, word,
                            before, blank));
}

/* Find the command: one word, or a group and a word. */
static enum parse_verdict command(struct cursor *cursor, const char *word)
{
    const struct command_group *group = cursor->result->group;
    if (!group) {
        cursor->result->group = command_group(cursor->table, word);
        if (cursor->result->group)
            return PARSE_RUN;
    }
    const char *name = group ? group->name : NULL;
    cursor->call->command = command_find(cursor->table, name, word);
    return cursor->call->command ? PARSE_RUN : no_such(cursor, name, word);
}

static enum parse_verdict operand(struct cursor *cursor, const char *word)
{
    struct call *call = cursor->call;
    if (call->operand_count == command_operands(call->command)) {
        char name[NAME_MAX_SHOWN];
        command_full_name(call->command, name, sizeof(name));
        return wrong(detail_set(cursor->why, STATUS_BAD_INPUT,
                                "\"%s\" is too much: see empusa %s --help", word, name));
    }
    call->operands[call->operand_count++] = word;
    return PARSE_RUN;
}

static enum parse_verdict words(struct cursor *cursor)
{
    bool has_ended = false;
    while (cursor->at < cursor->argc) {
        const char *argument = cursor->argv[cursor->at++];
        enum parse_verdict verdict;
        if (!has_ended && strcmp(argument, "--") == 0 && cursor->call->command) {
            has_ended = true;
            continue;
        }
        if (!has_ended && is_option(argument))
            verdict = option(cursor, argument);
        else if (!has_ended && is_short_option(argument))
            verdict = wrong(
                detail_set(cursor->why, STATUS_BAD_INPUT, "no option %s: see --help", argument));
        else if (!cursor->call->command)
            verdict = command(cursor, argument);
        else
            verdict = operand(cursor, argument);
        if (verdict != PARSE_RUN)
            return verdict;
    }
    return PARSE_RUN;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return true;
    }
    return false;
}

static enum parse_verdict missing(struct cursor *cursor, enum option_id id)
{
    const struct option_row *row = option_row(id);
    if (row->variable)
        return wrong(detail_set(cursor->why, STATUS_BAD_INPUT,
                                "--%s is missing (or its variable %s)", row->name, row->variable));
    return wrong(detail_set(cursor->why, STATUS_BAD_INPUT, "--%s is missing", row->name));
}

/* What the environment gives. */
static enum parse_verdict complete(struct cursor *cursor)
{
    const struct command *command = cursor->call->command;
    for (size_t i = 0; i < OPTION_GLOBAL_COUNT + command->option_count; i++) {
        enum option_id id =
            i < OPTION_GLOBAL_COUNT ? (enum option_id)i : command->options[i - OPTION_GLOBAL_COUNT];
        if (options_complete(&cursor->call->options, id, cursor->why) != STATUS_OK)
            return PARSE_WRONG;
    }
    return PARSE_RUN;
}

static enum parse_verdict check_complete(struct cursor *cursor)
{
    const struct call *call = cursor->call;
    const struct command *command = call->command;
    if (command->needs_etcd && !options_has(&call->options, OPTION_ETCD_ENDPOINT) &&
        !options_has(&call->options, OPTION_ETCD_DISCOVERY_SRV))
        return missing(cursor, OPTION_ETCD_ENDPOINT);
    if (command->needs_etcd && !options_has(&call->options, OPTION_TREE_ROOT))
        return missing(cursor, OPTION_TREE_ROOT);
    bool has_substitute = command->substitute && options_has(&call->options, command->substitute);
    for (size_t i = 0; i < command->option_count && !has_substitute; i++) {
        enum option_id id = command->options[i];
        if (option_row(id)->is_required && !options_has(&call->options, id))
            return missing(cursor, id);
    }
    if (call->operand_count == command_operands(command))
        return PARSE_RUN;
    char name[NAME_MAX_SHOWN];
    command_full_name(command, name, sizeof(name));
    return wrong(detail_set(cursor->why, STATUS_BAD_INPUT, "something is missing: empusa %s %s",
                            name, command->operands));
}

enum parse_verdict parse(int argc, char **argv, const struct command_table *table,
                         struct call *call, struct parse_result *result, struct detail *why)
{
    struct cursor cursor = {argc, argv, 1, table, call, result, why};
    enum parse_verdict verdict = words(&cursor);
    if (verdict == PARSE_WRONG && asks_for_help(argc, argv) && (call->command || result->group))
        return PARSE_HELP;
    if (verdict != PARSE_RUN)
        return verdict;
    if (!call->command) {
        const char *group = result->group ? result->group->name : "";
        return wrong(detail_set(why, STATUS_BAD_INPUT,
                                "no command was given: see empusa %s%s--help", group,
                                *group ? " " : ""));
    }
    verdict = complete(&cursor);
    return verdict == PARSE_RUN ? check_complete(&cursor) : verdict;
}
