/* cli/command.h - commands: rows of facts, and what a row's function is called with.
 *
 * The table itself is in program.c. Parsing, help, man pages, completion and the README's tables
 * read it, so that none of them can say something else.
 *
 * Threads: pure. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "option.h"

#include "registry/log.h"

#include <stdbool.h>
#include <stddef.h>

struct call;

#define COMMAND_OPTIONS_MAX  32
#define COMMAND_OPERANDS_MAX 3

struct command {
    const char *group; /* "service"; NULL: none */
    const char *name;
    const char *operands; /* "SWITCH VALUE": all required, separated by blanks; NULL: none */
    const char *summary;  /* one line */
    const char *text;     /* a paragraph more for help and man pages, or NULL */
    enum option_id options[COMMAND_OPTIONS_MAX];
    size_t option_count;
    enum option_id substitute; /* with it no option of the command is required; 0: there is none */
    bool needs_etcd;           /* --tree-root, and --etcd-endpoint or --etcd-discovery-srv */
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
    const struct command *command;
    const struct command_table *table;
    struct options options;
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

/* The word meant by a mistyped one, "register" or "service register"; false when none is near.
 * out: at least 64 octets. */
bool command_nearest(const struct command_table *table, const char *group, const char *word,
                     char *out, size_t size);

/* "service register", "serve". */
void command_full_name(const struct command *command, char *out, size_t size);

/* How many operands the row names. */
size_t command_operands(const struct command *command);

/* Whether `typed` was likely meant to be `word`, and how far it is off (insertions, deletions,
 * exchanges of an octet). */
size_t command_distance(const char *typed, const char *word);
bool command_is_near(const char *typed, const char *word, size_t distance);

#endif
