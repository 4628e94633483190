/* The file: made, locked, left alone, and what SQLite says of it as a status. */
#include "registry/state/state_db.h"
#include "support/in_child.h"
#include "support/state_store.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <sys/stat.h>

static struct state_store store;
static struct detail why;

static int begin(void **state)
{
    (void)state;
    state_store_begin(&store);
    return 0;
}

static int end(void **state)
{
    (void)state;
    state_store_end(&store);
    return 0;
}

static struct state_db *open_it(void)
{
    struct state_db *db = NULL;
    assert_int_equal(state_db_open(store.path, false, &db, &why), STATUS_OK);
    return db;
}

static void results_become_statuses(void **state)
{
    (void)state;
    static const struct {
        int result;
        enum status status;
    } rows[] = {
        {SQLITE_OK, STATUS_OK},
        {SQLITE_ROW, STATUS_OK},
        {SQLITE_BUSY, STATUS_CONFLICT},
        {SQLITE_BUSY_RECOVERY, STATUS_CONFLICT},
        {SQLITE_FULL, STATUS_NO_SPACE},
        {SQLITE_NOMEM, STATUS_NO_MEMORY},
        {SQLITE_IOERR_NOMEM, STATUS_NO_MEMORY},
        {SQLITE_IOERR_READ, STATUS_SYSTEM},
        {SQLITE_CANTOPEN, STATUS_SYSTEM},
        {SQLITE_CORRUPT, STATUS_BAD_REPLY},
        {SQLITE_CORRUPT_INDEX, STATUS_BAD_REPLY},
        {SQLITE_NOTADB, STATUS_BAD_REPLY},
        {SQLITE_ERROR, STATUS_BAD_REPLY},
        {SQLITE_TOOBIG, STATUS_BAD_REPLY},
    };
    struct state_db *db = open_it();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(state_db_status(db, rows[i].result, &why), rows[i].status);
    state_db_close(db, false);
    state_db_close(NULL, false);
}

static void only_the_owner_may_read_it(void **state)
{
    (void)state;
    struct stat st;
    mode_t before = umask(0);
    struct state_db *db = open_it();
    bool were_made = false;
    assert_int_equal(state_db_make_tables(db, &were_made, &why), STATUS_OK);
    assert_true(were_made && db->is_writing);
    umask(before);
    assert_int_equal(stat(store.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    char log_path[128];
    snprintf(log_path, sizeof(log_path), "%s-wal", store.path);
    assert_int_equal(stat(log_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    state_db_close(db, false);
}

static void open_what_is_locked(void)
{
    struct state_db *db = NULL;
    CHILD_EXPECT(state_db_open(store.path, false, &db, &why) == STATUS_CONFLICT);
}

static void it_is_locked_until_it_is_closed(void **state)
{
    (void)state;
    bool were_made;
    struct state_db *db = open_it();
    assert_true(in_child(open_what_is_locked));
    assert_int_equal(state_db_make_tables(db, &were_made, &why), STATUS_OK);
    assert_true(in_child(open_what_is_locked));
    state_db_rollback(db);
    assert_true(in_child(open_what_is_locked));
    state_db_close(db, false);
    state_db_close(open_it(), false);
}

static void its_tables_are_those_that_are_expected(void **state)
{
    (void)state;
    bool were_made;
    struct state_db *db = open_it();
    assert_int_equal(state_db_check_tables(db, &why), STATUS_NOT_FOUND);
    assert_int_equal(state_db_make_tables(db, &were_made, &why), STATUS_OK);
    assert_int_equal(state_db_check_tables(db, &why), STATUS_OK);
    assert_int_equal(sqlite3_exec(db->handle, "CREATE TABLE other(a)", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(state_db_check_tables(db, &why), STATUS_BAD_REPLY);
    state_db_rollback(db);
    assert_int_equal(state_db_check_tables(db, &why), STATUS_NOT_FOUND);
    state_db_close(db, false);
}

static void one_that_is_not_there_cannot_be_only_read(void **state)
{
    (void)state;
    struct state_db *db = NULL;
    assert_int_equal(state_db_open(store.path, true, &db, &why), STATUS_NOT_FOUND);
    assert_null(db);
}

static void only_read_it_is_as_it_was(void **state)
{
    (void)state;
    struct state_model model = {.keys = {1, 2, 3}, .mark = state_store_mark(1)};
    struct state_db *db = NULL;
    for (int keep_log = 0; keep_log <= 1; keep_log++) {
        size_t before_len, after_len;
        model.keys[0] += 3;
        state_store_write(&store, &model, keep_log);
        char *before = state_store_slurp(store.path, &before_len);
        assert_int_equal(state_db_open(store.path, true, &db, &why), STATUS_OK);
        assert_int_equal(state_db_check_tables(db, &why), STATUS_OK);
        assert_true(state_db_is_in_place(db));
        state_db_close(db, true);
        char *after = state_store_slurp(store.path, &after_len);
        assert_int_equal(before_len, after_len);
        assert_memory_equal(before, after, before_len);
        free(before);
        free(after);
    }
}

/* An address to SQLite, which has rules of its own for what stands in it. */
static void a_directory_may_have_any_name(void **state)
{
    (void)state;
    struct state_store odd = store;
    struct state_model model = {.keys = {1, 2, 3}, .mark = state_store_mark(1)};
    struct state_db *db = NULL;
    snprintf(odd.dir, sizeof(odd.dir), "%.40s/1%%41?a#b c", store.dir);
    snprintf(odd.path, sizeof(odd.path), "%.60s/registry.db", odd.dir);
    assert_int_equal(mkdir(odd.dir, 0700), 0);
    state_store_write(&odd, &model, false);
    assert_int_equal(state_db_open(odd.path, true, &db, &why), STATUS_OK);
    assert_int_equal(state_db_check_tables(db, &why), STATUS_OK);
    state_db_close(db, true);
    state_store_end(&odd);
}

static void one_that_was_removed_is_noticed(void **state)
{
    (void)state;
    struct state_model model = {.keys = {1, 2, 3}, .mark = state_store_mark(1)};
    state_store_write(&store, &model, false);
    struct state_db *db = open_it();
    assert_true(state_db_is_in_place(db));
    assert_true(state_db_bytes(db) >= 4096);
    state_store_empty(&store);
    assert_false(state_db_is_in_place(db));
    assert_int_equal(state_db_bytes(db), 0);
    state_store_write(&store, &model, false);
    assert_false(state_db_is_in_place(db));
    state_db_close(db, true);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(results_become_statuses),
        TEST(only_the_owner_may_read_it),
        TEST(it_is_locked_until_it_is_closed),
        TEST(its_tables_are_those_that_are_expected),
        TEST(one_that_is_not_there_cannot_be_only_read),
        TEST(only_read_it_is_as_it_was),
        TEST(a_directory_may_have_any_name),
        TEST(one_that_was_removed_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
