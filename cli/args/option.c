#include "option.h"

#include "mask.h"

#include "registry/base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECRET_MAX   4096
#define BLANKS       " \t\r\n"
#define PREFIX       "EMPUSA_"
#define WARNINGS_MAX 10
/* Octets of what is quoted where not all fits into a struct detail: with the names it does. */
#define VALUE_SHOWN 224
#define FAULT_SHOWN 128
#define FILE_SHOWN  64
#define NAMES_SIZE  96

static const struct option_row rows[OPTION_COUNT] = {
#define OPTION_ROW(id, ...) [OPTION_##id] = {__VA_ARGS__},
    OPTION_LIST_ALL(OPTION_ROW)
#undef OPTION_ROW
};

/* A word in any case, and what it means. */
struct option_word {
    const char *text;
    int value;
};

/* The names that Python's logging has, which scripts may have set for the tool in Python. A level
 * that we do not have is the nearest one that hides nothing of it. */
static const struct option_word levels[] = {
    {"DEBUG", LOG_LEVEL_DEBUG}, {"INFO", LOG_LEVEL_INFO},    {"WARNING", LOG_LEVEL_WARNING},
    {"ERROR", LOG_LEVEL_ERROR}, {"WARN", LOG_LEVEL_WARNING}, {"CRITICAL", LOG_LEVEL_ERROR},
    {"FATAL", LOG_LEVEL_ERROR}, {"NOTSET", LOG_LEVEL_DEBUG},
};

static const struct option_word flags[] = {
    {"1", true},  {"yes", true}, {"true", true},   {"on", true},
    {"0", false}, {"no", false}, {"false", false}, {"off", false},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct option_row *option_row(enum option_id id)
{
    return &rows[id];
}

/* Overwritten: a text may be a password, of a variable or in a URL. */
static void option_value_clear(struct option_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        explicit_bzero(value->texts[i], strlen(value->texts[i]));
        free(value->texts[i]);
    }
    free(value->texts);
    *value = (struct option_value){0};
}

void options_clear(struct options *options)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        option_value_clear(&options->values[i]);
}

/* Only digits: strtoull() alone would take a sign, and make of "-1" the largest number. What is too
 * large for it becomes UINT64_MAX, which is above the maximum of every row. */
static bool option_is_number(const struct option_row *row, const char *text)
{
    uint64_t number = strtoull(text, NULL, 10);
    return *text && text[strspn(text, "0123456789")] == '\0' && number >= row->min &&
           number <= row->max;
}

/* Its value; -1: it is none of the words. */
static int option_find_word(const struct option_word *words, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(text, words[i].text) == 0)
            return words[i].value;
    return -1;
}

static bool option_is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    while (*choices) {
        size_t word = strcspn(choices, "|");
        if (word == len && memcmp(choices, text, len) == 0)
            return true;
        choices += word + (choices[word] == '|');
    }
    return false;
}

static enum status option_check(const struct option_row *row, const char *text, struct detail *why)
{
    switch (row->kind) {
    case OPTION_NUMBER:
        if (option_is_number(row, text))
            return STATUS_OK;
        return detail_set(why, STATUS_BAD_INPUT, "not a whole number from %llu to %llu",
                          (unsigned long long)row->min, (unsigned long long)row->max);
    case OPTION_CHOICE:
        if (option_is_choice(row->argument, text))
            return STATUS_OK;
        return detail_set(why, STATUS_BAD_INPUT, "not one of %s", row->argument);
    case OPTION_LEVEL:
        if (option_find_word(levels, COUNT(levels), text) >= 0)
            return STATUS_OK;
        return detail_set(why, STATUS_BAD_INPUT, "not one of DEBUG, INFO, WARNING, ERROR");
    case OPTION_FLAG:
        if (option_find_word(flags, COUNT(flags), text) >= 0)
            return STATUS_OK;
        return detail_set(why, STATUS_BAD_INPUT, "neither yes nor no");
    default:
        return *text ? STATUS_OK : detail_set(why, STATUS_BAD_INPUT, "is empty");
    }
}

static enum status option_append(struct option_value *value, const char *text, size_t len)
{
    char *copy = strndup(text, len);
    char **texts = realloc(value->texts, (value->count + 1) * sizeof(*texts));
    /* It may have moved the array even where there is no copy to be put into it. */
    if (texts)
        value->texts = texts;
    if (!copy || !texts) {
        free(copy);
        return STATUS_NO_MEMORY;
    }
    value->texts[value->count++] = copy;
    return STATUS_OK;
}

/* One value of the option, checked. It is kept before it is checked: options_fault() looks at all
 * of them for what may be a password. */
static enum status option_add_one(struct options *options, enum option_id id, const char *text,
                                  size_t len, struct detail *why)
{
    struct option_value *value = &options->values[id];
    enum status status = option_append(value, text, len);
    if (status != STATUS_OK)
        return detail_set(why, status, "%s", status_text(status));
    const char *copy = value->texts[value->count - 1];
    status = option_check(&rows[id], copy, why);
    return status == STATUS_OK ? status : options_fault(options, id, copy, why);
}

/* Between two items stands a comma, blanks, or both. Between two commas, or behind the last one, is
 * an empty item, which option_check() refuses: something was forgotten there. */
static enum status option_add_list(struct options *options, enum option_id id, const char *text,
                                   struct detail *why)
{
    bool has_comma;
    text += strspn(text, BLANKS);
    do {
        size_t len = strcspn(text, "," BLANKS);
        enum status status = option_add_one(options, id, text, len, why);
        if (status != STATUS_OK)
            return status;
        text += len + strspn(text + len, BLANKS);
        has_comma = *text == ',';
        if (has_comma)
            text += 1 + strspn(text + 1, BLANKS);
    } while (*text || has_comma);
    return STATUS_OK;
}

static enum status option_add(struct options *options, enum option_id id, const char *text,
                              struct detail *why)
{
    if (rows[id].kind == OPTION_LIST)
        return option_add_list(options, id, text, why);
    return option_add_one(options, id, text, strlen(text), why);
}

enum status options_set(struct options *options, enum option_id id, const char *text,
                        struct detail *why)
{
    struct option_value *value = &options->values[id];
    bool is_repeatable = rows[id].kind == OPTION_LIST || rows[id].kind == OPTION_REPEATED;
    /* The first one of the command line takes the place of all that came from elsewhere. */
    if (!is_repeatable || value->source != OPTION_ARGUMENT)
        option_value_clear(value);
    value->source = OPTION_ARGUMENT;
    return option_add(options, id, text ? text : "yes", why);
}

void options_unset(struct options *options, enum option_id id)
{
    option_value_clear(&options->values[id]);
}

/* What its variables have in the environment, or (config not NULL) in the file. NULL: nothing. */
static const char *option_look_up(struct option_value *value, const struct option_row *row,
                                  const struct config *config)
{
    const char *const names[] = {row->variable, row->second_variable};
    /* Each name's empty value counts as unset, so the second one is still asked. */
    for (size_t i = 0; i < COUNT(names) && names[i]; i++) {
        const struct config_item *item = config_find(config, names[i]);
        const char *found = item ? item->value : NULL, *text = config ? found : getenv(names[i]);
        if (!text || !*text)
            continue;
        /* Known before the value is checked: a fault says where it came from. */
        value->source = config ? OPTION_FILE : OPTION_VARIABLE;
        value->variable = names[i];
        value->line = item ? item->line : 0;
        return text;
    }
    return NULL;
}

enum status options_complete(struct options *options, enum option_id id,
                             const struct config *config, struct detail *why)
{
    const struct option_row *row = &rows[id];
    struct option_value *value = &options->values[id];
    if (value->source != OPTION_UNSET)
        return STATUS_OK;
    const char *text = option_look_up(value, row, NULL);
    if (!text && config && id != OPTION_CONFIG) /* a file names no further one */
        text = option_look_up(value, row, config);
    if (text)
        return option_add(options, id, text, why);
    if (!row->fallback)
        return STATUS_OK;
    value->source = OPTION_DEFAULT;
    return option_add(options, id, row->fallback, why);
}

/* A look at all rows for each line of the file: both are short. */
static bool option_is_variable(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((rows[i].variable && strcmp(rows[i].variable, name) == 0) ||
            (rows[i].second_variable && strcmp(rows[i].second_variable, name) == 0))
            return true;
    }
    return false;
}

/* Of names that begin as ours alone: the file may be systemd's for the whole unit, with variables
 * that are for others. */
void options_warn(const struct options *options, const struct config *config, const struct log *log)
{
    const char *file = options_text(options, OPTION_CONFIG);
    size_t count = 0;
    for (size_t i = 0; i < config->count; i++) {
        const struct config_item *item = &config->items[i];
        bool is_self = strcmp(item->name, rows[OPTION_CONFIG].variable) == 0;
        bool is_unknown =
            strncmp(item->name, PREFIX, strlen(PREFIX)) == 0 && !option_is_variable(item->name);
        if ((is_self || is_unknown) && ++count <= WARNINGS_MAX)
            log_printf(log, LOG_LEVEL_WARNING, "%s, line %u: %s %s", file, item->line, item->name,
                       is_self ? "names no further file" : "is no variable of empusa's");
    }
    if (count > WARNINGS_MAX)
        log_printf(log, LOG_LEVEL_WARNING, "%s: and %zu more like these", file,
                   count - WARNINGS_MAX);
}

bool options_has(const struct options *options, enum option_id id)
{
    return options->values[id].count > 0;
}

const char *options_text(const struct options *options, enum option_id id)
{
    return options_item(options, id, 0);
}

const char *options_item(const struct options *options, enum option_id id, size_t i)
{
    return i < options->values[id].count ? options->values[id].texts[i] : NULL;
}

size_t options_count(const struct options *options, enum option_id id)
{
    return options->values[id].count;
}

uint64_t options_number(const struct options *options, enum option_id id)
{
    const char *text = options_text(options, id);
    return text ? strtoull(text, NULL, 10) : 0;
}

bool options_flag(const struct options *options, enum option_id id)
{
    const char *text = options_text(options, id);
    return text && option_find_word(flags, COUNT(flags), text) == true;
}

enum log_level options_level(const struct options *options)
{
    const char *text = options_text(options, OPTION_LOG_LEVEL);
    return text ? (enum log_level)option_find_word(levels, COUNT(levels), text) : LOG_LEVEL_INFO;
}

const char *options_secret_file(const struct options *options, enum option_id id)
{
    /* Both are the row's own string, so comparing the pointers suffices. */
    bool is_itself = options->values[id].variable == rows[id].second_variable;
    return is_itself ? NULL : options_text(options, id);
}

enum status options_secret(const struct options *options, enum option_id id, char **out,
                           struct detail *why)
{
    const char *path = options_secret_file(options, id), *text = options_text(options, id);
    struct file file = {0};
    if (path) {
        enum status status = file_read(path, SECRET_MAX, true, &file, why);
        if (status != STATUS_OK) {
            options_fault(options, id, path, why);
            return status;
        }
        /* Editors, and echo, put a LF at the end, which is no part of it. What follows is
         * overwritten here, as the caller sees no more than the first line: an older password may
         * be there. */
        size_t len = strcspn(file.data, "\r\n");
        explicit_bzero(file.data + len, file.len - len);
    } else if (text && !(file.data = strdup(text))) {
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    }
    *out = file.data;
    return STATUS_OK;
}

/* Whether a value may be a part of one with a user and a password, which hold a comma. */
static bool option_may_be_secret(const struct option_value *value)
{
    for (size_t i = 0; i < value->count; i++)
        if (strchr(value->texts[i], '@'))
            return true;
    return false;
}

/* The value as it may be quoted. */
static const char *option_quotable(const struct option_value *from, const char *value, char *space,
                                   size_t size)
{
    if (!strchr(value, '@'))
        return option_may_be_secret(from) ? "***" : value;
    mask_quote(value, strlen(value), space, size);
    return space;
}

enum status options_fault(const struct options *options, enum option_id id, const char *value,
                          struct detail *why)
{
    const struct option_value *from = &options->values[id];
    /* What *why says is quoted in what takes its place: a copy. */
    struct detail said = *why, space, shown, fault, file, origin = {""};
    const char *name = rows[id].name, *sentence = said.text;
    if (!value)
        return detail_set(why, STATUS_BAD_INPUT, "--%s: %s", name, said.text);
    const char *path = from->source == OPTION_FILE ? options_text(options, OPTION_CONFIG) : "";
    mask_sentence(said.text);
    value = option_quotable(from, value, space.text, sizeof(space.text));
    size_t value_len = strlen(value), len = strlen(sentence), path_len = strlen(path);
    bool fits = value_len + len + path_len + NAMES_SIZE <= sizeof(why->text);
    utf8_shorten(value, value_len, shown.text, fits ? sizeof(shown.text) : VALUE_SHOWN);
    utf8_shorten(sentence, len, fault.text, fits ? sizeof(fault.text) : FAULT_SHOWN);
    utf8_shorten(path, path_len, file.text, fits ? sizeof(file.text) : FILE_SHOWN);
    if (from->source == OPTION_FILE)
        detail_set(&origin, STATUS_OK, " (from %s in %s, line %u)", from->variable, file.text,
                   from->line);
    else if (from->source == OPTION_VARIABLE)
        detail_set(&origin, STATUS_OK, " (from %s)", from->variable);
    return detail_set(why, STATUS_BAD_INPUT, "--%s \"%s\"%s: %s", name, shown.text, origin.text,
                      fault.text);
}
