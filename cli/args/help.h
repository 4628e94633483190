/* cli/args/help.h - what the rows say of themselves: --help, manual pages, the README's tables and
 * the shells' completions.
 *
 * Threads: pure. */
#ifndef CLI_ARGS_HELP_H
#define CLI_ARGS_HELP_H

#include "command.h"

#include <stdio.h>

/* Of empusa itself: all commands and the global options. */
void help_program(const struct command_table *table, FILE *file);
void help_group(const struct command_table *table, const struct command_group *group, FILE *file);
void help_command(const struct command *command, FILE *file);

/* "variable EMPUSA_TTL, default 10, repeatable": what a row says beside its help. Empty when
 * nothing. */
void help_facts(const struct option_row *row, char *out, size_t size);

/* Write words in lines of at most `width` columns, each after `indent` blanks; LF is a new line. */
void help_wrap(const char *text, size_t indent, size_t width, FILE *file);

/* The page named by the operand: empusa (section 1) or empusa-serve (section 8). Returns the exit
 * status. */
int docs_man(struct call *call);

/* Tables of commands, of the options of all commands, and of each command's own. */
int docs_markdown(struct call *call);

/* empusa completion bash|zsh|fish: scripts. Returns the exit status. */
int completion_command(struct call *call);

#endif
