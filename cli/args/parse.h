/* cli/args/parse.h - a command line and its environment, taken apart by the rows.
 *
 *   empusa COMMAND [OPERAND...], with options anywhere
 *
 * `--option value` and `--option=value`; behind `--` nothing is an option; --help (-h) anywhere
 * wins over everything that is wrong but for an unknown command before it. The file of --config is
 * read, too.
 *
 * Threads: pure but for the environment and that file. */
#ifndef CLI_ARGS_PARSE_H
#define CLI_ARGS_PARSE_H

#include "command.h"

enum parse_verdict { PARSE_RUN, PARSE_HELP, PARSE_VERSION, PARSE_WRONG };

/* By call->table fill ->command, ->options, ->config and ->operands; the latter point into argv.
 * PARSE_HELP: of call->command, else of ->group, else of empusa; also without any argument, or
 * where a group stands alone. PARSE_WRONG: *why says what. Whatever the verdict, the caller clears
 * call->options and ->config. */
enum parse_verdict parse(int argc, char **argv, struct call *call, struct detail *why);

#endif
