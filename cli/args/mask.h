/* cli/args/mask.h - no password in what a person or a log gets to read.
 *
 * https://user:secret@host:2379 is a habit of other programs. What we quote of a wrong command line
 * may hold one, whatever option it was meant for. A password may hold anything, blanks, quotes and
 * '@' among it: so a value is masked before it stands in a sentence, where its ends are lost.
 *
 * Threads: the caller's memory. */
#ifndef CLI_ARGS_MASK_H
#define CLI_ARGS_MASK_H

#include <stdbool.h>
#include <stddef.h>

/* Copy a value to be quoted, "***" in the place of a user and a password before an '@'. One that is
 * too long loses its middle (utf8_shorten()), or, with an '@', is "***" altogether: to cut it may
 * take away the '@' by which a password is known. size >= 16. */
void mask_quote(const char *text, size_t len, char *out, size_t size);

/* In a sentence that somebody else has made of a value: from the word with the first ':', or from
 * behind the scheme, to the last '@'. Rather more than the value than less. */
void mask_sentence(char *text);

#endif
