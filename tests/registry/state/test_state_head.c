/* What a copy says of itself, and how one that is damaged is told from one of another format. */
#include "registry/state/state_head.h"
#include "registry/state/state_sum.h"
#include "support/state_store.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#include <endian.h>

static struct state_store store;
static const struct state_root root = {STATE_STORE_ROOT, sizeof(STATE_STORE_ROOT) - 1};
static struct detail why;

static int begin(void **state)
{
    (void)state;
    state_store_begin(&store);
    struct state_model model = {.keys = {1, 2, 3}, .mark = state_store_mark(9)};
    state_store_write(&store, &model, false);
    return 0;
}

static int end(void **state)
{
    (void)state;
    state_store_end(&store);
    return 0;
}

/* After these statements. */
__attribute__((format(printf, 1, 2))) static enum status read_after(const char *format, ...)
{
    char sql[512];
    struct state_db *db = NULL;
    struct state_mark mark = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    assert_int_equal(state_db_open(store.path, false, &db, &why), STATUS_OK);
    assert_int_equal(sqlite3_exec(db->handle, sql, NULL, NULL, NULL), SQLITE_OK);
    enum status status = state_head_read(db, &root, &mark, &why);
    assert_int_equal(mark.revision, status == STATUS_OK ? 9 : 0);
    state_db_close(db, false);
    return status;
}

static void it_says_what_was_written(void **state)
{
    (void)state;
    struct state_db *db = NULL;
    struct state_mark mark = {0}, expected = state_store_mark(9);
    assert_int_equal(state_db_open(store.path, false, &db, &why), STATUS_OK);
    assert_int_equal(state_head_read(db, &root, &mark, &why), STATUS_OK);
    assert_int_equal(mark.revision, expected.revision);
    assert_true(mark.cluster_id == expected.cluster_id);
    assert_int_equal(mark.serial, expected.serial);
    assert_int_equal(mark.contact_s, expected.contact_s);
    assert_int_equal(db->totals.count, 3);
    assert_int_equal(db->committed.count, 3);
    state_db_close(db, false);
}

static void a_changed_number_is_noticed(void **state)
{
    (void)state;
    static const char *const columns[] = {"root",    "revision", "cluster", "serial",
                                          "contact", "keys",     "total",   "sum"};
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        assert_int_equal(read_after("UPDATE head SET %s = ~%s", columns[i], columns[i]),
                         STATUS_BAD_REPLY);
        /* Of the root, octets, that made a number. */
        if (i == 0)
            assert_int_equal(read_after("UPDATE head SET root = CAST('%s' AS BLOB)", root.text),
                             STATUS_OK);
        else
            assert_int_equal(read_after("UPDATE head SET %s = ~%s", columns[i], columns[i]),
                             STATUS_OK);
    }
}

static void what_is_missing_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(read_after("DELETE FROM head"), STATUS_BAD_REPLY);
    assert_int_equal(read_after("DELETE FROM format"), STATUS_BAD_REPLY);
    assert_int_equal(read_after("DROP TABLE entry"), STATUS_BAD_REPLY);
    assert_int_equal(read_after("DROP TABLE format"), STATUS_BAD_REPLY);
    assert_int_equal(read_after("DROP TABLE head"), STATUS_NOT_FOUND);
}

static void one_of_another_root_is_refused(void **state)
{
    (void)state;
    struct state_db *db = NULL;
    struct state_mark mark;
    static const struct state_root others[] = {
        {"/test/x", 7}, {"/test", 5}, {"/", 1}, {"/Test/", 6}};
    assert_int_equal(state_db_open(store.path, false, &db, &why), STATUS_OK);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(state_head_read(db, &others[i], &mark, &why), STATUS_REFUSED);
        assert_string_equal(why.text, "it is of the tree root \"/test/\"");
    }
    state_db_close(db, false);
}

static void another_format_is_refused_whatever_its_tables_are(void **state)
{
    (void)state;
    uint64_t octets = htole64(2);
    long long sum = (long long)state_sum(&octets, sizeof(octets));
    assert_int_equal(read_after("UPDATE format SET version = 2"), STATUS_BAD_REPLY);
    assert_int_equal(read_after("UPDATE format SET sum = %lld", sum), STATUS_REFUSED);
    assert_string_equal(why.text, "it is of format 2, and this program knows 1 only");
    assert_int_equal(read_after("DROP TABLE head; CREATE TABLE tree(a)"), STATUS_REFUSED);
}

static void a_commit_that_is_undone_was_never_there(void **state)
{
    (void)state;
    struct state_db *db = NULL;
    struct state_mark mark, next = state_store_mark(12);
    assert_int_equal(state_db_open(store.path, false, &db, &why), STATUS_OK);
    assert_int_equal(state_head_read(db, &root, &mark, &why), STATUS_OK);
    assert_int_equal(state_head_prepare(db, &why), STATUS_OK);
    assert_int_equal(state_db_begin(db, &why), STATUS_OK);
    assert_int_equal(state_db_begin(db, &why), STATUS_OK);
    db->totals.count++;
    state_db_rollback(db);
    assert_int_equal(db->totals.count, 3);
    assert_int_equal(state_head_prepare(db, &why), STATUS_OK);
    assert_int_equal(state_db_begin(db, &why), STATUS_OK);
    assert_int_equal(state_head_commit(db, &root, &next, &why), STATUS_OK);
    state_db_rollback(db); /* of nothing */
    assert_int_equal(state_head_read(db, &root, &mark, &why), STATUS_OK);
    assert_int_equal(mark.revision, 12);
    state_db_close(db, false);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_says_what_was_written),
        TEST(a_changed_number_is_noticed),
        TEST(what_is_missing_is_noticed),
        TEST(one_of_another_root_is_refused),
        TEST(another_format_is_refused_whatever_its_tables_are),
        TEST(a_commit_that_is_undone_was_never_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
