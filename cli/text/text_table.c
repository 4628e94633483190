#include "text_table.h"

#include "width.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_PADDING 2 /* tabulate's MIN_PADDING */

struct column {
    const char *header;
    size_t header_columns, columns;
    bool has_number, has_other;
};

struct text_table {
    struct width width;
    struct column columns[TEXT_TABLE_COLUMNS_MAX];
    size_t column_count;
    /* 32 KiB: much for a stack, and not to be allocated for each row. */
    char shown[TEXT_TABLE_COLUMNS_MAX][WIDTH_OCTETS_MAX]; /* the cells of one row */
};

/* A cell as a terminal shows it; in table->shown. */
struct shown {
    const char *text;
    size_t len;     /* octets */
    size_t columns; /* on a terminal */
};

enum status text_table_new(const char *const *headers, size_t columns, struct text_table **out)
{
    struct text_table *table = calloc(1, sizeof(*table));
    if (!table)
        return STATUS_NO_MEMORY;
    width_init(&table->width);
    table->column_count = columns;
    for (size_t i = 0; i < columns; i++) {
        struct column *column = &table->columns[i];
        column->header = headers[i];
        /* Headers are our own words, in ASCII: an octet is a column. */
        column->header_columns = strlen(headers[i]);
        column->columns = column->header_columns + HEADER_PADDING;
    }
    *out = table;
    return STATUS_OK;
}

void text_table_free(struct text_table *table)
{
    if (!table)
        return;
    width_clear(&table->width);
    free(table);
}

static void text_table_show(struct text_table *table, const struct text_table_cell *cells,
                            struct shown *out)
{
    for (size_t i = 0; i < table->column_count; i++) {
        char *text = table->shown[i];
        size_t columns = 0;
        size_t len = width_show(&table->width, cells[i].text, cells[i].len, TEXT_TABLE_CELL_COLUMNS,
                                text, &columns);
        out[i] = (struct shown){text, len, columns};
    }
}

/* tabulate aligns columns of numbers to the right. */
static bool text_table_is_whole_number(const char *text, size_t len)
{
    size_t at = len > 0 && (*text == '-' || *text == '+') ? 1 : 0;
    if (at == len)
        return false;
    for (; at < len; at++)
        if (text[at] < '0' || text[at] > '9')
            return false;
    return true;
}

/* Shown to be measured and once more to be printed: to keep what was shown would take memory for
 * each row. */
void text_table_measure(struct text_table *table, const struct text_table_cell *cells)
{
    struct shown shown[TEXT_TABLE_COLUMNS_MAX];
    text_table_show(table, cells, shown);
    for (size_t i = 0; i < table->column_count; i++) {
        struct column *column = &table->columns[i];
        if (shown[i].columns > column->columns)
            column->columns = shown[i].columns;
        if (text_table_is_whole_number(shown[i].text, shown[i].len))
            column->has_number = true;
        else if (shown[i].len > 0)
            column->has_other = true;
    }
}

static void text_table_print_line(const struct text_table *table, FILE *file, char edge)
{
    for (size_t i = 0; i < table->column_count; i++) {
        putc(i > 0 ? '+' : edge, file);
        for (size_t k = 0; k < table->columns[i].columns + 2; k++)
            putc('-', file);
    }
    putc(edge, file);
    putc('\n', file);
}

/* Padded here and not by printf()'s field width, which counts octets. */
static void text_table_print_cell(const struct column *column, const struct shown *cell, FILE *file)
{
    bool is_right = column->has_number && !column->has_other;
    int padding = column->columns > cell->columns ? (int)(column->columns - cell->columns) : 0;
    fprintf(file, "| %*s%.*s%*s", is_right ? padding : 0, "", (int)cell->len, cell->text,
            is_right ? 1 : padding + 1, "");
}

void text_table_begin(const struct text_table *table, FILE *file)
{
    text_table_print_line(table, file, '+');
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        struct shown header = {column->header, strlen(column->header), column->header_columns};
        text_table_print_cell(column, &header, file);
    }
    fputs("|\n", file);
    text_table_print_line(table, file, '|');
}

void text_table_row(struct text_table *table, const struct text_table_cell *cells, FILE *file)
{
    struct shown shown[TEXT_TABLE_COLUMNS_MAX];
    text_table_show(table, cells, shown);
    for (size_t i = 0; i < table->column_count; i++)
        text_table_print_cell(&table->columns[i], &shown[i], file);
    fputs("|\n", file);
}

void text_table_end(const struct text_table *table, FILE *file)
{
    text_table_print_line(table, file, '+');
}
