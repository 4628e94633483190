/* cli/args/mask.h - no password in what a person or a log gets to read.
 *
 * https://user:secret@host:2379 is a habit of other programs. What we quote of a wrong command line
 * may hold one, whatever option it was meant for.
 *
 * Threads: the caller's memory. */
#ifndef CLI_ARGS_MASK_H
#define CLI_ARGS_MASK_H

/* Put "***" in the place of a user and a password before an '@', in one value... */
void mask_value(char *text);
/* ...or in each word of a sentence. */
void mask_words(char *text);

#endif
