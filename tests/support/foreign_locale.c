#include "foreign_locale.h"

#include <ctype.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEMPLATE "/tmp/empusa-test-XXXXXX"

static const char definition[] = "LC_CTYPE\n"
                                 "upper <U0041>;<U0044>;<U0049>\n"
                                 "lower <U0061>;<U0064>;<U0069>\n"
                                 "toupper (<U0061>,<U0041>);(<U0064>,<U0044>)\n"
                                 "tolower (<U0041>,<U0061>);(<U0044>,<U0064>)\n"
                                 "END LC_CTYPE\n"
                                 "LC_NUMERIC\n"
                                 "decimal_point \",\"\n"
                                 "thousands_sep \"\"\n"
                                 "grouping -1\n"
                                 "END LC_NUMERIC\n";

void foreign_locale_enter(void)
{
    char directory[] = TEMPLATE, text[sizeof(TEMPLATE) + 100];
    assert_non_null(mkdtemp(directory));
    snprintf(text, sizeof(text), "%s/definition", directory);
    FILE *file = fopen(text, "we");
    assert_non_null(file);
    assert_true(fputs(definition, file) >= 0);
    assert_int_equal(fclose(file), 0);
    /* It warns of each category that is not defined, which is then that of "C". */
    snprintf(text, sizeof(text), "localedef -c -i %s/definition -f ANSI_X3.4-1968 %s/foreign",
             directory, directory);
    strcat(text, " 2>/dev/null");
    (void)!system(text);
    setenv("LOCPATH", directory, 1);
    const char *name = setlocale(LC_ALL, "foreign");
    snprintf(text, sizeof(text), "rm -r %s", directory);
    (void)!system(text);
    assert_non_null(name);
    assert_string_equal(localeconv()->decimal_point, ",");
    /* By tolower(): the sanitizers' own strcasecmp() has no locale. */
    assert_int_equal(tolower('D'), 'd');
    assert_int_equal(tolower('I'), 'I');
}

void foreign_locale_leave(void)
{
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
}
