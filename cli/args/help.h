/* cli/args/help.h - what --help says, from the rows.
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

#endif
