/* cli/args/command.h - commands: rows of facts, and what a row's function is called with.
 *
 * The table itself is in program.c. Parsing, help, man pages, completion and the README's tables
 * read it, so that none of them can say something else.
 *
 * Threads: pure. */
#ifndef CLI_ARGS_COMMAND_H
#define CLI_ARGS_COMMAND_H

#include "option.h"

struct call;

#define COMMAND_OPTIONS_MAX  32
#define COMMAND_OPERANDS_MAX 3

/* How a row begins. */
#define COMMAND_NAMED(word)    .name = word, .full_name = word
#define COMMAND_IN(head, word) .group = head, .name = word, .full_name = head " " word

struct command {
    const char *group; /* "service"; NULL: none */
    const char *name;
    const char *full_name; /* "service register", "serve" */
    const char *operands;  /* "SWITCH VALUE": all required, separated by blanks; NULL: none */
    const char *summary;   /* one line */
    const char *text;      /* a paragraph more for help and man pages, or NULL */
    enum option_id options[COMMAND_OPTIONS_MAX];
    size_t option_count;
    enum option_id substitute; /* with it no option of the command is required; 0: there is none */
    bool needs_no_etcd;        /* else --tree-root and --etcd-endpoint are required */
    bool is_hidden;            /* in no help */
    /* Returns the exit status, having said on standard error why it is not 0. */
    int (*run)(struct call *call);
};

struct command_group {
    const char *name;
    const char *summary;
};

struct command_table {
    const struct command *commands;
    size_t count;
    const struct command_group *groups;
    size_t group_count;
};

struct call {
    const struct command_table *table;
    const struct command *command;     /* NULL: help is asked for, of the group, */
    const struct command_group *group; /* or of empusa itself where there is none */
    struct options options;
    struct config config; /* what --config names, for what it has besides options */
    const char *operands[COMMAND_OPERANDS_MAX];
    size_t operand_count;
    struct log log;
};

/* group NULL: a command without one. NULL when there is none. */
const struct command *command_find(const struct command_table *table, const char *group,
                                   const char *name);
const struct command_group *command_group(const struct command_table *table, const char *name);

/* The words that may follow `group` (NULL: "empusa" itself), each once, without hidden ones: the
 * i-th, or NULL. */
const char *command_word(const struct command_table *table, const char *group, size_t i);

/* The command meant by a mistyped word, in quotes: "\"service list\" or \"switch list\""; false
 * when none is near. out: at least 128 octets. */
bool command_nearest(const struct command_table *table, const char *group, const char *word,
                     char *out, size_t size);

/* The name of the i-th operand and its length; NULL: there is none. It goes on behind it. */
const char *command_operand(const struct command *command, size_t i, size_t *len);

/* How far two words are off: insertions, deletions, exchanges of an octet or of two neighbours. */
size_t command_distance(const char *a, size_t a_len, const char *b, size_t b_len);

/* The one of `names` that was likely meant: by a slip of the fingers (1 in 5 letters, 2 in 8, 3 in
 * longer words), or by a part of it: "name" for "service-name", "refresh" for "refresh-every".
 * NULL: none is near, or several are equally so. */
const char *command_suggest(const char *typed, size_t len, const char *const *names, size_t count);

#endif
