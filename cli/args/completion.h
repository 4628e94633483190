/* cli/args/completion.h - empusa completion bash|zsh|fish: scripts made from the rows. */
#ifndef CLI_ARGS_COMPLETION_H
#define CLI_ARGS_COMPLETION_H

struct call;

/* Returns the exit status. */
int completion_command(struct call *call);

#endif
