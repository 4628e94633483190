#include "cli/text/text_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const services[] = {"Service", "Location", "TTL"};
static const char *const switches[] = {"Switch", "Value", "TTL"};

static struct text_table *make(const char *const *headers)
{
    struct text_table *table = NULL;
    assert_int_equal(text_table_new(headers, 3, &table), STATUS_OK);
    return table;
}

static void fill(struct text_table_cell *row, const char *const *cells)
{
    for (size_t i = 0; i < 3; i++)
        row[i] = (struct text_table_cell){cells[i], strlen(cells[i])};
}

static void measure(struct text_table *table, const char *const *cells)
{
    struct text_table_cell row[3];
    fill(row, cells);
    text_table_measure(table, row);
}

static void print_row(struct text_table *table, const char *const *cells, FILE *file)
{
    struct text_table_cell row[3];
    fill(row, cells);
    text_table_row(table, row, file);
}

/* The whole table, and free it. The caller frees the text. */
static char *print(struct text_table *table, const char *const cells[][3], size_t count)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    assert_non_null(file);
    for (size_t i = 0; i < count; i++)
        measure(table, cells[i]);
    text_table_begin(table, file);
    for (size_t i = 0; i < count; i++)
        print_row(table, cells[i], file);
    text_table_end(table, file);
    assert_int_equal(fclose(file), 0);
    text_table_free(table);
    return text;
}

/* The expected texts are what tabulate 0.10.0 with wcwidth prints for tabulate(rows, headers,
 * tablefmt="psql"), an empty TTL being None and the others integers. */
/* clang-format off */
static const struct {
    const char *const *headers;
    const char *cells[3][3];
    size_t count;
    const char *text;
} tables[] = {
    {/* no rows */
     services,
     {{NULL}},
     0,
     "+-----------+------------+-------+\n"
     "| Service   | Location   | TTL   |\n"
     "|-----------+------------+-------|\n"
     "+-----------+------------+-------+\n"},
    {/* no TTL at all */
     services,
     {{"dummy-type/dummy-service-1", "baz:1235", ""}},
     1,
     "+----------------------------+------------+-------+\n"
     "| Service                    | Location   | TTL   |\n"
     "|----------------------------+------------+-------|\n"
     "| dummy-type/dummy-service-1 | baz:1235   |       |\n"
     "+----------------------------+------------+-------+\n"},
    {/* some with a TTL */
     services,
     {{"a/b", "c:1", "5"}, {"a/c", "d:22", ""}, {"a/longer-name", "d:22", "1000"}},
     3,
     "+---------------+------------+-------+\n"
     "| Service       | Location   |   TTL |\n"
     "|---------------+------------+-------|\n"
     "| a/b           | c:1        |     5 |\n"
     "| a/c           | d:22       |       |\n"
     "| a/longer-name | d:22       |  1000 |\n"
     "+---------------+------------+-------+\n"},
    {/* a TTL wider than its header */
     services,
     {{"a/b", "c:1", "123456789"}},
     1,
     "+-----------+------------+-----------+\n"
     "| Service   | Location   |       TTL |\n"
     "|-----------+------------+-----------|\n"
     "| a/b       | c:1        | 123456789 |\n"
     "+-----------+------------+-----------+\n"},
    {/* a TTL as wide as its header's column */
     services,
     {{"a/b", "[fd00::1]:8080", "12345"}},
     1,
     "+-----------+----------------+-------+\n"
     "| Service   | Location       |   TTL |\n"
     "|-----------+----------------+-------|\n"
     "| a/b       | [fd00::1]:8080 | 12345 |\n"
     "+-----------+----------------+-------+\n"},
    {/* switches */
     switches,
     {{"features/super-cool-feature", "enabled", ""}, {"x", "", "30"}},
     2,
     "+-----------------------------+---------+-------+\n"
     "| Switch                      | Value   |   TTL |\n"
     "|-----------------------------+---------+-------|\n"
     "| features/super-cool-feature | enabled |       |\n"
     "| x                           |         |    30 |\n"
     "+-----------------------------+---------+-------+\n"},
    {/* values that are whole numbers */
     switches,
     {{"a", "1", ""}, {"b", "0", ""}, {"c", "-100000000", "7"}},
     3,
     "+----------+------------+-------+\n"
     "| Switch   |      Value |   TTL |\n"
     "|----------+------------+-------|\n"
     "| a        |          1 |       |\n"
     "| b        |          0 |       |\n"
     "| c        | -100000000 |     7 |\n"
     "+----------+------------+-------+\n"},
    {/* values of which some are numbers */
     switches,
     {{"a", "1", ""}, {"b", "on", ""}},
     2,
     "+----------+---------+-------+\n"
     "| Switch   | Value   | TTL   |\n"
     "|----------+---------+-------|\n"
     "| a        | 1       |       |\n"
     "| b        | on      |       |\n"
     "+----------+---------+-------+\n"},
    {/* wide characters */
     switches,
     {{"\346\227\245\346\234\254/\350\252\236", "\357\275\227ide", ""}, {"emoji", "\360\237\230\200\360\237\230\200\360\237\230\200\360\237\230\200", "1"}},
     2,
     "+----------+----------+-------+\n"
     "| Switch   | Value    |   TTL |\n"
     "|----------+----------+-------|\n"
     "| \346\227\245\346\234\254/\350\252\236  | \357\275\227ide    |       |\n"
     "| emoji    | \360\237\230\200\360\237\230\200\360\237\230\200\360\237\230\200 |     1 |\n"
     "+----------+----------+-------+\n"},
    {/* combining characters */
     switches,
     {{"cafe\314\201/etage", "e\314\201", ""}, {"\303\251tage", "ok", ""}},
     2,
     "+------------+---------+-------+\n"
     "| Switch     | Value   | TTL   |\n"
     "|------------+---------+-------|\n"
     "| cafe\314\201/etage | e\314\201       |       |\n"
     "| \303\251tage      | ok      |       |\n"
     "+------------+---------+-------+\n"},
};
/* clang-format on */

static void prints_what_tabulate_prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        char *text = print(make(tables[i].headers), tables[i].cells, tables[i].count);
        assert_string_equal(text, tables[i].text);
        free(text);
    }
}

static void shows_controls_and_broken_utf8_as_octets(void **state)
{
    (void)state;
    struct text_table *table = make(switches);
    const struct text_table_cell row[] = {{"a\nb", 3}, {"\0\xff\x1b[2J", 6}, {NULL, 0}};
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    assert_non_null(file);
    text_table_measure(table, row);
    text_table_begin(table, file);
    text_table_row(table, row, file);
    text_table_end(table, file);
    fclose(file);
    text_table_free(table);
    assert_string_equal(text, "+----------+-----------------+-------+\n"
                              "| Switch   | Value           | TTL   |\n"
                              "|----------+-----------------+-------|\n"
                              "| a\\x0ab   | \\x00\\xff\\x1b[2J |       |\n"
                              "+----------+-----------------+-------+\n");
    free(text);
}

static void changes_no_cell(void **state)
{
    (void)state;
    static const char *const cells[2][3] = {{"a", "1.50", ""}, {"b", " yes ", "007"}};
    char *text = print(make(switches), cells, 2);
    assert_non_null(strstr(text, "| a        | 1.50    |       |\n"));
    assert_non_null(strstr(text, "| b        |  yes    |   007 |\n"));
    free(text);
}

static void a_cell_that_was_not_measured_sticks_out(void **state)
{
    (void)state;
    struct text_table *table = make(services);
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    assert_non_null(file);
    measure(table, (const char *const[]){"a/b", "c:1", "5"});
    text_table_begin(table, file);
    print_row(table, (const char *const[]){"a/a-long-name", "c:1", "1234567"}, file);
    print_row(table, (const char *const[]){"a/b", "c:1", "never"}, file);
    text_table_end(table, file);
    fclose(file);
    text_table_free(table);
    assert_string_equal(text, "+-----------+------------+-------+\n"
                              "| Service   | Location   |   TTL |\n"
                              "|-----------+------------+-------|\n"
                              "| a/a-long-name | c:1        | 1234567 |\n"
                              "| a/b       | c:1        | never |\n"
                              "+-----------+------------+-------+\n");
    free(text);
}

/* `unit` so many times, and what is behind it; to be freed. */
static char *long_text(const char *unit, size_t times, const char *behind)
{
    char *text = calloc(1, strlen(unit) * times + strlen(behind) + 1);
    assert_non_null(text);
    for (size_t i = 0; i < times; i++)
        memcpy(text + i * strlen(unit), unit, strlen(unit));
    strcpy(text + strlen(unit) * times, behind);
    return text;
}

/* A cell of a table, all columns of which it takes. */
static void check_cell(char *value, char *expected)
{
    const char *const cells[1][3] = {{"s", value, ""}};
    char *text = print(make(switches), cells, 1);
    char *line = strstr(text, "| s ");
    assert_non_null(line);
    line += strlen("| s        | ");
    assert_memory_equal(line, expected, strlen(expected));
    assert_memory_equal(line + strlen(expected), " |       |\n", 11);
    free(text);
    free(value);
    free(expected);
}

#define WIDE   "\346\227\245" /* two columns */
#define ACUTE  "\314\201"     /* none */
#define EURO   "\342\202\254" /* one */
#define TURNED "\342\200\256" /* eight, as \u{202e} */
#define DOTS   "..."

static void cells_end_at_200_columns(void **state)
{
    (void)state;
    check_cell(long_text("a", 200, ""), long_text("a", 200, ""));
    check_cell(long_text("a", 201, ""), long_text("a", 197, DOTS));
    check_cell(long_text("a", 100000, ""), long_text("a", 197, DOTS));
    check_cell(long_text("1", 100000, ""), long_text("1", 197, DOTS));
    check_cell(long_text(EURO, 200, ""), long_text(EURO, 200, ""));
    check_cell(long_text(EURO, 201, ""), long_text(EURO, 197, DOTS));
    check_cell(long_text(WIDE, 100, ""), long_text(WIDE, 100, ""));
    check_cell(long_text(WIDE, 100, ACUTE), long_text(WIDE, 100, ACUTE));
    check_cell(long_text(WIDE, 100, "b"), long_text(WIDE, 98, DOTS));
    check_cell(long_text("e" ACUTE, 200, ""), long_text("e" ACUTE, 200, ""));
    check_cell(long_text("e" ACUTE, 201, ""), long_text("e" ACUTE, 197, DOTS));
    check_cell(long_text("\n", 50, ""), long_text("\\x0a", 50, ""));
    check_cell(long_text("\n", 51, ""), long_text("\\x0a", 49, DOTS));
    check_cell(long_text("\xff", 60, ""), long_text("\\xff", 49, DOTS));
    check_cell(long_text(TURNED, 25, ""), long_text("\\u{202e}", 25, ""));
    check_cell(long_text(TURNED, 26, ""), long_text("\\u{202e}", 24, DOTS));
}

/* What takes no column takes memory. */
static void combining_characters_without_end_are_cut(void **state)
{
    (void)state;
    char *value = long_text(ACUTE, 50000, "");
    const char *const cells[1][3] = {{"s", value, ""}};
    char *text = print(make(switches), cells, 1);
    assert_non_null(strstr(text, ACUTE DOTS "  "));
    assert_true(strlen(text) < 5000);
    free(text);
    free(value);
}

static void prints_any_number_of_rows(void **state)
{
    (void)state;
    struct text_table *table = make(services);
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    assert_non_null(file);
    measure(table, (const char *const[]){"type/service-99999", "10.1.2.3:80", "60"});
    text_table_begin(table, file);
    for (unsigned i = 0; i < 100000; i++) {
        char name[32], ttl[16];
        snprintf(name, sizeof(name), "type/service-%u", i);
        snprintf(ttl, sizeof(ttl), "%u", i % 60);
        print_row(table, (const char *const[]){name, "10.1.2.3:80", ttl}, file);
    }
    text_table_end(table, file);
    fclose(file);
    static const char last[] = "| type/service-99999 | 10.1.2.3:80 |    39 |\n"
                               "+--------------------+-------------+-------+\n";
    assert_int_equal(len, (100000 + 4) * strlen("| type/service-99999 | 10.1.2.3:80 |    39 |\n"));
    assert_string_equal(text + len - strlen(last), last);
    free(text);
    text_table_free(table);
    text_table_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_what_tabulate_prints),
        cmocka_unit_test(shows_controls_and_broken_utf8_as_octets),
        cmocka_unit_test(changes_no_cell),
        cmocka_unit_test(a_cell_that_was_not_measured_sticks_out),
        cmocka_unit_test(cells_end_at_200_columns),
        cmocka_unit_test(combining_characters_without_end_are_cut),
        cmocka_unit_test(prints_any_number_of_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
