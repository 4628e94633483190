/* cli/text/text_table.h - rows for a person, in the form of Python's tabulate(rows, headers,
 * tablefmt="psql").
 *
 *   +-----------+------------+-------+
 *   | Service   | Location   |   TTL |
 *   |-----------+------------+-------|
 *   | a/b       | baz:1235   |    20 |
 *   | a/c       | baz:1236   |       |
 *   +-----------+------------+-------+
 *
 * A column is as wide as its widest cell, or as its header and two blanks. It is aligned to the
 * right, with its header, when it has a cell that is not empty and every such cell is a whole
 * number. Unlike tabulate it changes no cell: "1.50" stays so, blanks at the ends stay. Cells are
 * shown as utf8_show() gives them, and padded by the columns they take on a terminal. One wider
 * than TEXT_TABLE_CELL_COLUMNS is cut, with "..." at its end: it would widen every other row.
 *
 * No row is kept, so that a table may have any number of them: first all rows that are to settle
 * the widths are measured, then all are printed. A cell that is wider than its column, because it
 * was not measured, sticks out.
 *
 * Threads: a table belongs to one thread. */
#ifndef CLI_TEXT_TEXT_TABLE_H
#define CLI_TEXT_TEXT_TABLE_H

#include "registry/base/status.h"

#include <stdio.h>

struct text_table;

#define TEXT_TABLE_COLUMNS_MAX  8
#define TEXT_TABLE_CELL_COLUMNS 200

/* Borrowed for the call; any octets. */
struct text_table_cell {
    const char *text; /* may be NULL when len is 0 */
    size_t len;
};

/* headers: `columns` strings, 1 to TEXT_TABLE_COLUMNS_MAX, which must outlive the table.
 * OK: *out is the caller's, to be given to text_table_free(). NO_MEMORY. */
MUST_USE enum status text_table_new(const char *const *headers, size_t columns,
                                    struct text_table **out);
void text_table_free(struct text_table *table);

/* Make the columns fit a row of as many cells as there are columns. */
void text_table_measure(struct text_table *table, const struct text_table_cell *cells);

/* Write what stands above the rows, a row, what stands below. Whether the file takes it is
 * ferror()'s to say. */
void text_table_begin(const struct text_table *table, FILE *file);
void text_table_row(struct text_table *table, const struct text_table_cell *cells, FILE *file);
void text_table_end(const struct text_table *table, FILE *file);

#endif
