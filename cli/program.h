/* cli/program.h - empusa: the table of its commands, and what main() does. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

struct command_table;

const struct command_table *program_table(void);

/* Returns the exit status: 0 done, 1 not done, 2 wrong usage. */
int program_run(int argc, char **argv);

#endif
