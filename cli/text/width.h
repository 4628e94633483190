/* cli/text/width.h - text as a terminal shows it, and how many columns it takes there.
 *
 * Wide characters (CJK, emoji) take two columns, combining ones none. The widths are the C
 * library's wcwidth() in its locale C.UTF-8, whatever the locale of the process; where that locale
 * is not installed, every character counts as one column.
 *
 * Threads: a struct width belongs to the thread that uses it. */
#ifndef CLI_TEXT_WIDTH_H
#define CLI_TEXT_WIDTH_H

#include <locale.h>
#include <stddef.h>
#include <stdint.h>

struct width {
    locale_t locale; /* (locale_t)0: not installed */
};

/* What is shown takes no more octets, however many combining characters are in it. */
#define WIDTH_OCTETS_MAX 4096

void width_init(struct width *width);
void width_clear(struct width *width);

/* Show text as utf8_show() does, in at most `max` columns: what is longer ends in "...", which
 * counts, and is cut between characters. max >= 3. out: WIDTH_OCTETS_MAX; no NUL is appended.
 * Returns the octets, and the columns in *columns. What the text has beyond the cut is not read. */
size_t width_show(const struct width *width, const char *text, size_t len, size_t max, char *out,
                  size_t *columns);

#endif
