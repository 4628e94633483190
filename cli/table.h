/* cli/table.h - rows for a person, in the form of Python's tabulate(rows, headers,
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
 * shown as utf8_show() gives them, and padded by the columns they take on a terminal.
 *
 * All rows are kept until they are printed, because the last may be the widest.
 * Threads: a table belongs to one thread. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "registry/status.h"

#include <stddef.h>
#include <stdio.h>

struct table;

#define TABLE_COLUMNS_MAX 8

/* Borrowed for the call; any octets. */
struct table_cell {
    const char *text; /* may be NULL when len is 0 */
    size_t len;
};

/* headers: `columns` strings, 1 to TABLE_COLUMNS_MAX, which must outlive the table.
 * OK: *out is the caller's, to be given to table_free(). NO_MEMORY. */
MUST_USE enum status table_new(const char *const *headers, size_t columns, struct table **out);
void table_free(struct table *table);

/* Append a row of as many cells as there are columns. NO_MEMORY: the table is as before. */
MUST_USE enum status table_add(struct table *table, const struct table_cell *cells);

/* Write the table. SYSTEM: the file could not be written (errno says why). May be repeated. */
MUST_USE enum status table_print(const struct table *table, FILE *file);

#endif
