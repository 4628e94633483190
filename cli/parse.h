/* cli/parse.h - a command line and its environment, taken apart by the rows.
 *
 *   empusa [GLOBAL OPTION...] COMMAND [OPTION...] [OPERAND...]
 *
 * `--option value` and `--option=value`; `--` ends the options; --help anywhere wins over
 * everything that is wrong after it.
 *
 * Threads: pure but for the environment. */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include "command.h"

#include "registry/status.h"

enum parse_verdict { PARSE_RUN, PARSE_HELP, PARSE_VERSION, PARSE_WRONG };

struct parse_result {
    const struct command_group *group; /* PARSE_HELP: of this group */
};

/* Fill call->command, ->options and ->operands; the latter point into argv.
 * PARSE_HELP: of call->command, else of result->group, else of empusa. PARSE_WRONG: *why says what.
 * Whatever the verdict, the caller clears call->options. */
enum parse_verdict parse(int argc, char **argv, const struct command_table *table,
                         struct call *call, struct parse_result *result, struct detail *why);

#endif
