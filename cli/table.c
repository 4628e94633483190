#include "table.h"

#include "registry/utf8.h"
#include "width.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_PADDING 2 /* tabulate's MIN_PADDING */

struct cell {
    size_t at;      /* its shown text, in table.text */
    size_t len;     /* octets */
    size_t columns; /* on a terminal */
};

struct column {
    const char *header;
    size_t header_columns, columns;
    bool has_number, has_other;
};

struct table {
    struct width width;
    struct column columns[TABLE_COLUMNS_MAX];
    size_t column_count;
    struct cell *cells; /* row by row */
    size_t cell_count, cell_room;
    char *text;
    size_t text_len, text_room;
};

enum status table_new(const char *const *headers, size_t columns, struct table **out)
{
    struct table *table = calloc(1, sizeof(*table));
    if (!table)
        return STATUS_NO_MEMORY;
    width_init(&table->width);
    table->column_count = columns;
    for (size_t i = 0; i < columns; i++) {
        struct column *column = &table->columns[i];
        column->header = headers[i];
        column->header_columns = width_of(&table->width, headers[i], strlen(headers[i]));
        column->columns = column->header_columns + HEADER_PADDING;
    }
    *out = table;
    return STATUS_OK;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    width_clear(&table->width);
    free(table->cells);
    free(table->text);
    free(table);
}

/* Room for `need` things more; doubles, so that adding n rows costs in proportion to n. */
static bool reserve(void **memory, size_t *room, size_t used, size_t need, size_t size)
{
    size_t wanted = *room ? *room : 64;
    if (need > SIZE_MAX / 4 / size || used > SIZE_MAX / 4 / size)
        return false;
    while (wanted - used < need)
        wanted *= 2;
    if (wanted == *room)
        return true;
    void *grown = realloc(*memory, wanted * size);
    if (!grown)
        return false;
    *memory = grown;
    *room = wanted;
    return true;
}

static bool reserve_row(struct table *table, const struct table_cell *cells)
{
    void *text = table->text, *row = table->cells;
    size_t need = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (cells[i].len > SIZE_MAX / 64)
            return false;
        need += cells[i].len * UTF8_SHOW_MAX + 1;
    }
    bool has_room = reserve(&text, &table->text_room, table->text_len, need, 1) &&
                    reserve(&row, &table->cell_room, table->cell_count, table->column_count,
                            sizeof(*table->cells));
    table->text = text;
    table->cells = row;
    return has_room;
}

static bool is_whole_number(const char *text, size_t len)
{
    size_t at = len > 0 && (*text == '-' || *text == '+') ? 1 : 0;
    if (at == len)
        return false;
    for (; at < len; at++)
        if (text[at] < '0' || text[at] > '9')
            return false;
    return true;
}

static void add_cell(struct table *table, struct column *column, const struct table_cell *from)
{
    char *text = table->text + table->text_len;
    size_t len = utf8_show(from->text, from->len, text, table->text_room - table->text_len);
    size_t columns = width_of(&table->width, text, len);
    table->cells[table->cell_count++] =
        (struct cell){.at = table->text_len, .len = len, .columns = columns};
    table->text_len += len;
    if (columns > column->columns)
        column->columns = columns;
    if (is_whole_number(text, len))
        column->has_number = true;
    else if (len > 0)
        column->has_other = true;
}

enum status table_add(struct table *table, const struct table_cell *cells)
{
    if (!reserve_row(table, cells))
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < table->column_count; i++)
        add_cell(table, &table->columns[i], &cells[i]);
    return STATUS_OK;
}

static void print_repeated(FILE *file, char c, size_t count)
{
    while (count-- > 0)
        putc(c, file);
}

static void print_line(const struct table *table, FILE *file, char edge)
{
    for (size_t i = 0; i < table->column_count; i++) {
        putc(i > 0 ? '+' : edge, file);
        print_repeated(file, '-', table->columns[i].columns + 2);
    }
    putc(edge, file);
    putc('\n', file);
}

static void print_cell(const struct column *column, const char *text, size_t len, size_t columns,
                       FILE *file)
{
    bool is_right = column->has_number && !column->has_other;
    size_t padding = column->columns - columns;
    fputs("| ", file);
    print_repeated(file, ' ', is_right ? padding : 0);
    fwrite(text, 1, len, file);
    print_repeated(file, ' ', is_right ? 1 : padding + 1);
}

static void print_row(const struct table *table, const struct cell *cells, FILE *file)
{
    for (size_t i = 0; i < table->column_count; i++)
        print_cell(&table->columns[i], table->text + cells[i].at, cells[i].len, cells[i].columns,
                   file);
    fputs("|\n", file);
}

enum status table_print(const struct table *table, FILE *file)
{
    print_line(table, file, '+');
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        print_cell(column, column->header, strlen(column->header), column->header_columns, file);
    }
    fputs("|\n", file);
    print_line(table, file, '|');
    for (size_t at = 0; at < table->cell_count; at += table->column_count)
        print_row(table, table->cells + at, file);
    print_line(table, file, '+');
    return ferror(file) ? STATUS_SYSTEM : STATUS_OK;
}
