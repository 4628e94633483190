/* Twice along the line: first for the command, as options may stand before it and which of them are
 * followed by a value is known of all options; then for the options and operands themselves. */
#include "parse.h"

#include "mask.h"

#include "registry/base/utf8.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_SHOWN 64
#define WORD_SHOWN     160

/* Where in the command line we are. */
struct cursor {
    int argc;
    char **argv;
    int at;
    struct call *call;
    struct detail *why;
    bool has_ended;  /* behind "--" */
    bool wants_help; /* --help was met */
    bool is_lost;    /* what is wrong is the command */
};

enum word_kind { WORD_PLAIN, WORD_OPTION, WORD_SHORT };

/* An argument: "--name[=value]", "-x" or anything else. */
struct word {
    enum word_kind kind;
    const char *text;
    const char *name; /* WORD_OPTION */
    size_t name_len;
    const char *value; /* NULL: no '=' */
};

PRINTF_LIKE(2, 3)
static enum parse_verdict parse_usage_error(struct cursor *cursor, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    utf8_format(cursor->why->text, sizeof(cursor->why->text), format, args);
    va_end(args);
    return PARSE_WRONG;
}

/* A negative number is none, nor is "-" alone, which stands for standard input. */
static bool parse_is_short_option(const char *argument)
{
    return argument[0] == '-' && argument[1] != '\0' && argument[1] != '-' &&
           !(argument[1] >= '0' && argument[1] <= '9');
}

static struct word parse_split(const char *argument)
{
    struct word word = {.text = argument};
    if (parse_is_short_option(argument)) {
        word.kind = WORD_SHORT;
    } else if (argument[0] == '-' && argument[1] == '-' && argument[2] != '\0') {
        word.kind = WORD_OPTION;
        word.name = argument + 2;
        word.name_len = strcspn(word.name, "=");
        word.value = word.name[word.name_len] == '=' ? word.name + word.name_len + 1 : NULL;
    }
    return word;
}

static bool parse_next_word(struct cursor *cursor, struct word *out)
{
    /* The first one alone; another "--" behind it is an operand. */
    if (cursor->at < cursor->argc && !cursor->has_ended &&
        strcmp(cursor->argv[cursor->at], "--") == 0) {
        cursor->has_ended = true;
        cursor->at++;
    }
    if (cursor->at >= cursor->argc)
        return false;
    const char *argument = cursor->argv[cursor->at++];
    *out = cursor->has_ended ? (struct word){.text = argument} : parse_split(argument);
    return true;
}

static bool parse_is_named(const struct word *word, const char *name)
{
    return word->kind == WORD_OPTION && strlen(name) == word->name_len &&
           memcmp(name, word->name, word->name_len) == 0;
}

static bool parse_is_help(const struct word *word)
{
    return parse_is_named(word, "help") ||
           (word->kind == WORD_SHORT && strcmp(word->text, "-h") == 0);
}

/* The options that the command takes, its own and the global ones; without a command all there are.
 */
static size_t parse_option_count(const struct cursor *cursor)
{
    const struct command *command = cursor->call->command;
    return command ? OPTION_GLOBAL_COUNT + command->option_count : OPTION_COUNT;
}

static enum option_id parse_option_at(const struct cursor *cursor, size_t i)
{
    const struct command *command = cursor->call->command;
    return command && i >= OPTION_GLOBAL_COUNT ? command->options[i - OPTION_GLOBAL_COUNT]
                                               : (enum option_id)i;
}

static bool parse_find_option(const struct cursor *cursor, const struct word *word,
                              enum option_id *out)
{
    for (size_t i = 0; i < parse_option_count(cursor); i++) {
        *out = parse_option_at(cursor, i);
        if (parse_is_named(word, option_row(*out)->name))
            return true;
    }
    return false;
}

/* Of any command: a known option is not taken for the value of the one before it, even where it
 * does not belong to this command. */
static bool parse_is_any_option(const struct word *word)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (parse_is_named(word, option_row((enum option_id)i)->name))
            return true;
    }
    return parse_is_help(word) || parse_is_named(word, "version");
}

/* An argument as it may be quoted. */
static const char *parse_quotable(const char *argument, struct detail *space)
{
    mask_quote(argument, strlen(argument), space->text, sizeof(space->text));
    return space->text;
}

/* Where one reads more: "empusa service list --help". */
static const char *parse_help_of(const struct cursor *cursor, char out[NAME_MAX_SHOWN])
{
    const struct call *call = cursor->call;
    const char *group = call->group ? call->group->name : "";
    const char *name = call->command ? call->command->full_name : group;
    snprintf(out, NAME_MAX_SHOWN, "%s%s", name, *name ? " " : "");
    return out;
}

/* What begins with a '-' was perhaps meant as an operand. */
static enum parse_verdict parse_unknown_operand(struct cursor *cursor, const struct word *word)
{
    const struct call *call = cursor->call;
    size_t len = 0;
    const char *name =
        call->command ? command_operand(call->command, call->operand_count, &len) : NULL;
    char help[NAME_MAX_SHOWN], shown[WORD_SHOWN];
    parse_help_of(cursor, help);
    /* Without the value, which may be a secret, of one dash as of two; nor a user's password. */
    size_t shown_len = strcspn(word->text, strchr(word->text, '@') ? "=:" : "=");
    const char *rest = word->text + shown_len;
    utf8_shorten(word->text, shown_len, shown, sizeof(shown));
    if (name)
        return parse_usage_error(cursor,
                                 "no option %s: if it is the %.*s, put \"--\" before it: empusa "
                                 "%s... -- %s%.1s%s",
                                 shown, (int)len, name, help, shown, rest, *rest ? "..." : "");
    return parse_usage_error(cursor, "no option %s: see empusa %s--help", shown, help);
}

static enum parse_verdict parse_unknown(struct cursor *cursor, const struct word *word)
{
    const char *names[OPTION_COUNT + 2];
    size_t count = parse_option_count(cursor);
    for (size_t i = 0; i < count; i++)
        names[i] = option_row(parse_option_at(cursor, i))->name;
    names[count++] = "help";
    names[count++] = "version";
    const char *best = command_suggest(word->name, word->name_len, names, count);
    if (!best)
        return parse_unknown_operand(cursor, word);
    return parse_usage_error(cursor, "no option --%.*s: did you mean --%s?", (int)word->name_len,
                             word->name, best);
}

/* Take the option's value: behind '=', or the next argument, unless that is an option itself, of
 * whatever command: then the value was forgotten. Another word that begins with a '-' is a value.
 * False: there is none. */
static bool parse_take_value(struct cursor *cursor, struct word *word)
{
    if (word->value)
        return true;
    if (cursor->at >= cursor->argc || strcmp(cursor->argv[cursor->at], "--") == 0)
        return false;
    struct word next = parse_split(cursor->argv[cursor->at]);
    if (parse_is_any_option(&next))
        return false;
    word->value = cursor->argv[cursor->at++];
    return true;
}

static enum parse_verdict parse_set_option(struct cursor *cursor, enum option_id id,
                                           struct word *word)
{
    const struct option_row *row = option_row(id);
    if (!row->argument && word->value) {
        struct detail shown;
        return parse_usage_error(cursor, "--%s \"%s\": it takes no value", row->name,
                                 parse_quotable(word->value, &shown));
    }
    if (row->argument && !parse_take_value(cursor, word))
        return parse_usage_error(cursor, "--%s needs a value: %s", row->name, row->argument);
    enum status status = options_set(&cursor->call->options, id, word->value, cursor->why);
    return status == STATUS_OK ? PARSE_RUN : PARSE_WRONG;
}

/* On the way to the command: what belongs to an option is none of its words. */
static enum parse_verdict parse_pass_option(struct cursor *cursor, struct word *word)
{
    enum option_id id;
    /* It needs no command. Behind --help it is passed by, as help wants to know of which
     * command. */
    if (parse_is_named(word, "version") && !cursor->wants_help)
        return PARSE_VERSION;
    cursor->wants_help = cursor->wants_help || parse_is_help(word);
    if (parse_is_help(word) || parse_is_named(word, "version"))
        return PARSE_RUN;
    if (word->kind == WORD_SHORT)
        return parse_unknown_operand(cursor, word);
    if (!parse_find_option(cursor, word, &id))
        return parse_unknown(cursor, word);
    if (option_row(id)->argument && !parse_take_value(cursor, word))
        return parse_set_option(cursor, id, word); /* says what is missing */
    return PARSE_RUN;
}

static enum parse_verdict parse_no_such(struct cursor *cursor, const char *group, const char *word)
{
    char meant[2 * NAME_MAX_SHOWN];
    struct detail space;
    const char *before = group ? group : "", *blank = group ? " " : "";
    const char *shown = parse_quotable(word, &space);
    cursor->is_lost = true;
    if (command_nearest(cursor->call->table, group, word, meant, sizeof(meant)))
        return parse_usage_error(cursor, "no command \"%s%s%s\": did you mean %s?", before, blank,
                                 shown, meant);
    return parse_usage_error(cursor, "no command \"%s%s%s\": see empusa %s%s--help", before, blank,
                             shown, before, blank);
}

/* One word of it, or a group and a word. */
static enum parse_verdict parse_command_name(struct cursor *cursor, const char *word)
{
    struct call *call = cursor->call;
    const char *group = call->group ? call->group->name : NULL;
    if (!group && (call->group = command_group(call->table, word)))
        return PARSE_RUN;
    call->command = command_find(call->table, group, word);
    return call->command ? PARSE_RUN : parse_no_such(cursor, group, word);
}

static enum parse_verdict parse_find_command(struct cursor *cursor)
{
    struct word word;
    while (!cursor->call->command && parse_next_word(cursor, &word)) {
        enum parse_verdict verdict = word.kind == WORD_PLAIN ? parse_command_name(cursor, word.text)
                                                             : parse_pass_option(cursor, &word);
        if (verdict != PARSE_RUN)
            return verdict;
    }
    return PARSE_RUN;
}

static enum parse_verdict parse_option(struct cursor *cursor, struct word *word)
{
    enum option_id id;
    if (parse_is_help(word))
        return PARSE_HELP;
    if (parse_is_named(word, "version"))
        return PARSE_VERSION;
    if (word->kind == WORD_SHORT)
        return parse_unknown_operand(cursor, word);
    return parse_find_option(cursor, word, &id) ? parse_set_option(cursor, id, word)
                                                : parse_unknown(cursor, word);
}

static enum parse_verdict parse_operand(struct cursor *cursor, const char *word)
{
    struct call *call = cursor->call;
    size_t len;
    if (!command_operand(call->command, call->operand_count, &len)) {
        char help[NAME_MAX_SHOWN];
        struct detail shown;
        return parse_usage_error(cursor, "unexpected argument \"%s\": see empusa %s--help",
                                 parse_quotable(word, &shown), parse_help_of(cursor, help));
    }
    call->operands[call->operand_count++] = word;
    return PARSE_RUN;
}

static enum parse_verdict parse_words(struct cursor *cursor)
{
    /* The command's own words come again: the first plain ones, as nothing but options may stand
     * before. */
    size_t of_name = cursor->call->command->group ? 2 : 1;
    struct word word;
    cursor->at = 1;
    cursor->has_ended = false;
    while (parse_next_word(cursor, &word)) {
        enum parse_verdict verdict = PARSE_RUN;
        if (word.kind != WORD_PLAIN)
            verdict = parse_option(cursor, &word);
        else if (of_name > 0)
            of_name--;
        else
            verdict = parse_operand(cursor, word.text);
        if (verdict != PARSE_RUN)
            return verdict;
    }
    return PARSE_RUN;
}

/* Anywhere, even where it might have been a value: asked only when the line is wrong, and whoever
 * typed it wants to know what is right. */
static bool parse_asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        struct word word = parse_split(argv[i]);
        if (parse_is_help(&word))
            return true;
    }
    return false;
}

static enum parse_verdict parse_missing(struct cursor *cursor, enum option_id id)
{
    const struct option_row *row = option_row(id);
    if (row->variable)
        return parse_usage_error(cursor, "--%s is missing (or its variable %s)", row->name,
                                 row->variable);
    return parse_usage_error(cursor, "--%s is missing", row->name);
}

static enum parse_verdict parse_check_operands(struct cursor *cursor)
{
    const struct call *call = cursor->call;
    size_t len;
    const char *name = command_operand(call->command, call->operand_count, &len);
    if (!name)
        return PARSE_RUN;
    return parse_usage_error(cursor, "missing operand %.*s: empusa %s %s", (int)len, name,
                             call->command->full_name, call->command->operands);
}

/* What the environment and the file of --config give. That option first: the others may be in its
 * file. */
static enum parse_verdict parse_complete(struct cursor *cursor)
{
    struct call *call = cursor->call;
    enum status status = options_complete(&call->options, OPTION_CONFIG, NULL, cursor->why);
    const char *file = options_text(&call->options, OPTION_CONFIG);
    if (status == STATUS_OK && file) {
        status = config_read(file, &call->config, cursor->why);
        if (status != STATUS_OK)
            options_fault(&call->options, OPTION_CONFIG, file, cursor->why);
    }
    for (size_t i = 0; status == STATUS_OK && i < parse_option_count(cursor); i++)
        status = options_complete(&call->options, parse_option_at(cursor, i), &call->config,
                                  cursor->why);
    return status == STATUS_OK ? PARSE_RUN : PARSE_WRONG;
}

static enum parse_verdict parse_check_options(struct cursor *cursor)
{
    const struct call *call = cursor->call;
    const struct command *command = call->command;
    /* Not by is_required alone: one of the two suffices, and some commands need neither. */
    if (!command->needs_no_etcd && !options_has(&call->options, OPTION_ETCD_ENDPOINT) &&
        !options_has(&call->options, OPTION_ETCD_DISCOVERY_SRV))
        return parse_missing(cursor, OPTION_ETCD_ENDPOINT);
    if (!command->needs_no_etcd && !options_has(&call->options, OPTION_TREE_ROOT))
        return parse_missing(cursor, OPTION_TREE_ROOT);
    bool has_substitute = command->substitute && options_has(&call->options, command->substitute);
    for (size_t i = 0; i < command->option_count && !has_substitute; i++) {
        enum option_id id = command->options[i];
        if (option_row(id)->is_required && !options_has(&call->options, id))
            return parse_missing(cursor, id);
    }
    return PARSE_RUN;
}

/* The line has no command: alone, "empusa" and "empusa service" ask for help. */
static enum parse_verdict parse_no_command(struct cursor *cursor)
{
    bool is_alone = cursor->argc == (cursor->call->group ? 2 : 1);
    char help[NAME_MAX_SHOWN];
    if (is_alone || cursor->wants_help)
        return PARSE_HELP;
    return parse_usage_error(cursor, "no command was given: see empusa %s--help",
                             parse_help_of(cursor, help));
}

enum parse_verdict parse(int argc, char **argv, struct call *call, struct detail *why)
{
    struct cursor cursor = {argc, argv, 1, call, why, false, false, false};
    enum parse_verdict verdict = parse_find_command(&cursor);
    if (verdict == PARSE_RUN && !call->command)
        verdict = parse_no_command(&cursor);
    else if (verdict == PARSE_RUN)
        verdict = parse_words(&cursor);
    /* Where the command is unknown nobody knows whose help a --help behind it asks for. */
    bool is_help = cursor.is_lost ? cursor.wants_help : parse_asks_for_help(argc, argv);
    if (verdict == PARSE_WRONG && is_help)
        return PARSE_HELP;
    /* The line first, then what the environment and the file say, then what nobody has said: a
     * person is told of his own mistake before that of others. */
    if (verdict == PARSE_RUN)
        verdict = parse_check_operands(&cursor);
    if (verdict == PARSE_RUN)
        verdict = parse_complete(&cursor);
    return verdict == PARSE_RUN ? parse_check_options(&cursor) : verdict;
}
