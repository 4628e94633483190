#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const services[] = {"Service", "Location", "TTL"};
static const char *const switches[] = {"Switch", "Value", "TTL"};

static struct table *make(const char *const *headers)
{
    struct table *table = NULL;
    assert_int_equal(table_new(headers, 3, &table), STATUS_OK);
    return table;
}

static void fill(struct table_cell *row, const char *const *cells)
{
    for (size_t i = 0; i < 3; i++)
        row[i] = (struct table_cell){cells[i], strlen(cells[i])};
}

static void measure(struct table *table, const char *const *cells)
{
    struct table_cell row[3];
    fill(row, cells);
    assert_int_equal(table_measure(table, row), STATUS_OK);
}

static void print_row(struct table *table, const char *const *cells, FILE *file)
{
    struct table_cell row[3];
    fill(row, cells);
    assert_int_equal(table_row(table, row, file), STATUS_OK);
}

/* The whole table, and free it. The caller frees the text. */
static char *print(struct table *table, const char *const cells[][3], size_t count)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    assert_non_null(file);
    for (size_t i = 0; i < count; i++)
        measure(table, cells[i]);
    table_begin(table, file);
    for (size_t i = 0; i < count; i++)
        print_row(table, cells[i], file);
    table_end(table, file);
    assert_int_equal(fclose(file), 0);
    table_free(table);
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
    struct table *table = make(switches);
    const struct table_cell row[] = {{"a\nb", 3}, {"\0\xff\x1b[2J", 6}, {NULL, 0}};
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    assert_non_null(file);
    assert_int_equal(table_measure(table, row), STATUS_OK);
    table_begin(table, file);
    assert_int_equal(table_row(table, row, file), STATUS_OK);
    table_end(table, file);
    fclose(file);
    table_free(table);
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
    struct table *table = make(services);
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    assert_non_null(file);
    measure(table, (const char *const[]){"a/b", "c:1", "5"});
    table_begin(table, file);
    print_row(table, (const char *const[]){"a/a-long-name", "c:1", "1234567"}, file);
    print_row(table, (const char *const[]){"a/b", "c:1", "never"}, file);
    table_end(table, file);
    fclose(file);
    table_free(table);
    assert_string_equal(text, "+-----------+------------+-------+\n"
                              "| Service   | Location   |   TTL |\n"
                              "|-----------+------------+-------|\n"
                              "| a/a-long-name | c:1        | 1234567 |\n"
                              "| a/b       | c:1        | never |\n"
                              "+-----------+------------+-------+\n");
    free(text);
}

static void prints_any_number_of_rows(void **state)
{
    (void)state;
    struct table *table = make(services);
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    assert_non_null(file);
    measure(table, (const char *const[]){"type/service-99999", "10.1.2.3:80", "60"});
    table_begin(table, file);
    for (unsigned i = 0; i < 100000; i++) {
        char name[32], ttl[16];
        snprintf(name, sizeof(name), "type/service-%u", i);
        snprintf(ttl, sizeof(ttl), "%u", i % 60);
        print_row(table, (const char *const[]){name, "10.1.2.3:80", ttl}, file);
    }
    table_end(table, file);
    fclose(file);
    static const char last[] = "| type/service-99999 | 10.1.2.3:80 |    39 |\n"
                               "+--------------------+-------------+-------+\n";
    assert_int_equal(len, (100000 + 4) * strlen("| type/service-99999 | 10.1.2.3:80 |    39 |\n"));
    assert_string_equal(text + len - strlen(last), last);
    free(text);
    table_free(table);
    table_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_what_tabulate_prints),
        cmocka_unit_test(shows_controls_and_broken_utf8_as_octets),
        cmocka_unit_test(changes_no_cell),
        cmocka_unit_test(a_cell_that_was_not_measured_sticks_out),
        cmocka_unit_test(prints_any_number_of_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
