/* cli/args/option.h - options: rows of facts, and the values that a command line and its
 * environment give.
 *
 * A value comes from the command line, else from the option's variable in the environment (an empty
 * one counts as unset), else from that variable in the file of --config, else from the row's
 * default. It is checked against its row when it is set, so that reading it cannot fail. Messages
 * name the option, the value, and the variable and the line of the file where it came from there.
 *
 * Threads: a struct options belongs to one thread. */
#ifndef CLI_ARGS_OPTION_H
#define CLI_ARGS_OPTION_H

#include "config.h"
#include "option_rows.h"

#include "registry/base/log.h"

enum option_kind {
    OPTION_TEXT,
    OPTION_FLAG,     /* no argument; in its variable yes/true/on/1 or no/false/off/0 */
    OPTION_NUMBER,   /* decimal digits, min..max */
    OPTION_CHOICE,   /* one of the words of `argument`, separated by '|' */
    OPTION_LEVEL,    /* a log level in any case, Python's names, too */
    OPTION_LIST,     /* repeatable, and a list with commas or blanks between its items */
    OPTION_REPEATED, /* repeatable; a comma is part of the value */
    OPTION_SECRET    /* a file; in the second variable the secret itself */
};

struct option_row {
    const char *name;     /* without the "--" */
    const char *argument; /* what help calls its value; NULL: a flag */
    const char *variable; /* or NULL */
    const char *second_variable;
    const char *fallback;     /* the default, or NULL */
    const char *default_help; /* what happens without it, where there is no fallback */
    const char *help;
    uint64_t min, max;
    enum option_kind kind;
    bool is_required;
};

enum option_id {
#define OPTION_ENUM(id, ...) OPTION_##id,
    OPTION_LIST_ALL(OPTION_ENUM)
#undef OPTION_ENUM
        OPTION_COUNT
};

#define OPTION_GLOBAL_COUNT (OPTION_LOG_LEVEL + 1)

const struct option_row *option_row(enum option_id id);

enum option_source { OPTION_UNSET, OPTION_DEFAULT, OPTION_FILE, OPTION_VARIABLE, OPTION_ARGUMENT };

struct option_value {
    char **texts; /* owned */
    size_t count;
    enum option_source source;
    const char *variable; /* the one it came from */
    unsigned line;        /* OPTION_FILE */
};

struct options {
    struct option_value values[OPTION_COUNT];
};

void options_clear(struct options *options);

/* Set from the command line (text NULL: a flag). A repeatable option gains a value, another one is
 * replaced. BAD_INPUT: *why names the option and the value. NO_MEMORY. */
MUST_USE enum status options_set(struct options *options, enum option_id id, const char *text,
                                 struct detail *why);
/* As if it had never been set, by whatever. */
void options_unset(struct options *options, enum option_id id);
/* Where nothing was set: from the environment, else from the file (config may be NULL), else the
 * default. */
MUST_USE enum status options_complete(struct options *options, enum option_id id,
                                      const struct config *config, struct detail *why);
/* Warn of what looks like a variable of ours in the file but is none. */
void options_warn(const struct options *options, const struct config *config,
                  const struct log *log);

bool options_has(const struct options *options, enum option_id id); /* also by default */
/* The value, or NULL; of a repeatable one the i-th, i < options_count(). */
const char *options_text(const struct options *options, enum option_id id);
const char *options_item(const struct options *options, enum option_id id, size_t i);
size_t options_count(const struct options *options, enum option_id id);
/* 0 where there is none. */
uint64_t options_number(const struct options *options, enum option_id id);
bool options_flag(const struct options *options, enum option_id id);
enum log_level options_level(const struct options *options);

/* Of a secret: the file that holds it, or NULL: nothing was given, or its second variable, which
 * holds it itself. */
const char *options_secret_file(const struct options *options, enum option_id id);

/* The secret, read from its file where that is what was given: the first line, without its LF;
 * nothing of the others is left behind its NUL.
 * OK: *out is malloc()ed, the caller's; NULL where nothing was given. SYSTEM, TOO_LARGE (over 4
 * KiB), NO_MEMORY. */
MUST_USE enum status options_secret(const struct options *options, enum option_id id, char **out,
                                    struct detail *why);

/* Make `--name "value": fault` or `--name "value" (from VARIABLE): fault` of the fault that a check
 * elsewhere found, and `--name: fault` where it is in no single value (NULL). Returns BAD_INPUT. */
enum status options_fault(const struct options *options, enum option_id id, const char *value,
                          struct detail *why);

#endif
