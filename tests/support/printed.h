/* tests/support/printed.h - what is printed of a table of commands. */
#ifndef SUPPORT_PRINTED_H
#define SUPPORT_PRINTED_H

#include "capture.h"
#include "cli/args/command.h"
#include "log_lines.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* What a command without options prints to standard output: to be freed. Fails the test unless that
 * is its exit status and that its only log line ("" = none). */
static inline char *printed_by(int (*run)(struct call *call), const struct command_table *table,
                               const char *operand, int exit_status, const char *line)
{
    struct log_lines lines;
    struct capture capture;
    log_lines_init(&lines);
    struct call call = {
        .table = table, .operands = {operand}, .operand_count = operand != NULL, .log = lines.log};
    capture_begin(&capture, STDOUT_FILENO);
    int got = run(&call);
    char *text = capture_end(&capture);
    assert_int_equal(got, exit_status);
    assert_string_equal(log_lines_take(&lines), line);
    return text;
}

/* Whether a word of the text is this; a hyphen goes on in a word. */
static inline bool printed_has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = text; (p = strstr(p, word)); p++) {
        bool begins = p == text || !(isalnum((unsigned char)p[-1]) || p[-1] == '_');
        if (begins && !isalnum((unsigned char)p[len]) && p[len] != '-' && p[len] != '_')
            return true;
    }
    return false;
}

#endif
