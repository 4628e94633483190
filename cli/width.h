/* cli/width.h - text as a terminal shows it, and how many columns it takes there.
 *
 * Wide characters (CJK, emoji) take two columns, combining ones none. The widths are the C
 * library's wcwidth() in its locale C.UTF-8, whatever the locale of the process; where that locale
 * is not installed, every character counts as one column.
 *
 * Threads: a struct width belongs to the thread that uses it. */
#ifndef CLI_WIDTH_H
#define CLI_WIDTH_H

#include <locale.h>
#include <stddef.h>
#include <stdint.h>

struct width {
    locale_t locale; /* (locale_t)0: not installed */
};

void width_init(struct width *width);
void width_clear(struct width *width);

/* The columns of text that utf8_show() made. */
size_t width_of(const struct width *width, const char *shown, size_t len);

#endif
