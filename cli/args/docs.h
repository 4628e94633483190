/* cli/args/docs.h - manual pages and the README's tables, made from the rows. */
#ifndef CLI_ARGS_DOCS_H
#define CLI_ARGS_DOCS_H

struct call;

/* The page named by the operand: empusa (section 1) or empusa-serve (section 8). Returns the exit
 * status. */
int docs_man(struct call *call);

/* Tables of commands, of the options of all commands, and of each command's own. */
int docs_markdown(struct call *call);

#endif
