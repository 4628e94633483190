/* tests/support/foreign_locale.h - a locale as a program may have set that links libempusa: its
 * decimal point is a comma, as in German, and 'i' and 'I' are two letters, as in Turkish.
 *
 * It is made by localedef(1) of libc-bin, which every Debian has, from a definition of its own: no
 * locale needs to be installed. */
#ifndef SUPPORT_FOREIGN_LOCALE_H
#define SUPPORT_FOREIGN_LOCALE_H

/* The process has it from here on, in all categories; a test fails where that does not work. */
void foreign_locale_enter(void);

/* It has the locale "C" again. */
void foreign_locale_leave(void);

#endif
