/* Rows: put, replaced, removed, and read only where all of them are as they were written. */
#include "registry/state/state_head.h"
#include "registry/state/state_rows.h"
#include "support/random.h"
#include "support/state_store.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

static struct state_store store;
static struct state_db *db;
static struct detail why;

static int begin(void **state)
{
    (void)state;
    state_store_begin(&store);
    if (state_db_open(store.path, false, &db, &why) != STATUS_OK ||
        state_head_prepare(db, &why) != STATUS_OK || state_db_begin(db, &why) != STATUS_OK)
        return -1;
    return 0;
}

static int end(void **state)
{
    (void)state;
    state_db_close(db, false);
    state_store_end(&store);
    return 0;
}

static void put(unsigned number, uint32_t version)
{
    assert_int_equal(state_rows_put(db, state_store_kv(number, version), &why), STATUS_OK);
}

static void remove_it(unsigned number)
{
    const struct kv *kv = state_store_kv(number, 1);
    assert_int_equal(state_rows_remove(db, kv->key, kv->key_len, &why), STATUS_OK);
}

static bool append(void *arg, const struct kv *kv)
{
    char *text = arg;
    snprintf(text + strlen(text), 4096 - strlen(text), "%.*s=%lld ", 2, kv->key + kv->key_len - 2,
             (long long)kv->mod_revision);
    return true;
}

static void assert_rows(const char *expected)
{
    char text[4096] = "";
    assert_int_equal(state_rows_read(db, append, text, &why), STATUS_OK);
    assert_string_equal(text, expected);
}

static void they_are_read_in_the_order_of_their_keys(void **state)
{
    (void)state;
    assert_rows("");
    put(5, 50);
    put(3, 30);
    put(40, 40);
    assert_rows("03=30 05=50 40=40 ");
    put(5, 51);
    put(5, 51);
    remove_it(3);
    remove_it(3);
    assert_rows("05=51 40=40 ");
    assert_int_equal(db->totals.count, 2);
    assert_int_equal(state_rows_clear(db, &why), STATUS_OK);
    assert_rows("");
    put(1, 1);
    assert_rows("01=1 ");
}

static void any_octets_are_kept(void **state)
{
    (void)state;
    static char large[KV_OCTETS_MAX];
    memset(large, 0xff, sizeof(large));
    const struct kv kvs[] = {
        {.key = "", .value = ""},
        {.key = "\0", .key_len = 1, .value = "\0\0", .value_len = 2},
        {.key = "\0\xff", .key_len = 2, .value = "", .lease = INT64_MIN, .mod_revision = INT64_MAX},
        {.key = large, .key_len = sizeof(large), .value = large, .value_len = sizeof(large)},
    };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(state_rows_put(db, &kvs[i], &why), STATUS_OK);
    assert_int_equal(db->totals.count, 4);
    char text[4096] = "";
    assert_int_equal(state_rows_remove(db, large, sizeof(large), &why), STATUS_OK);
    assert_int_equal(state_rows_put(db, &kvs[3], &why), STATUS_OK);
    assert_int_equal(state_rows_remove(db, "", 0, &why), STATUS_OK);
    assert_int_equal(state_rows_remove(db, "\0", 1, &why), STATUS_OK);
    assert_int_equal(state_rows_remove(db, "\0\xff", 2, &why), STATUS_OK);
    assert_int_equal(state_rows_read(db, append, text, &why), STATUS_OK);
    assert_int_equal(db->totals.count, 1);
}

static bool stop_at_once(void *arg, const struct kv *kv)
{
    (void)kv;
    ++*(int *)arg;
    return false;
}

static void whoever_has_enough_is_given_no_more(void **state)
{
    (void)state;
    int seen = 0;
    put(1, 1);
    put(2, 2);
    assert_int_equal(state_rows_read(db, stop_at_once, &seen, &why), STATUS_CANCELLED);
    assert_int_equal(seen, 1);
    assert_rows("01=1 02=2 ");
}

static void what_is_not_as_it_was_written_is_noticed(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "UPDATE entry SET value = x'00' WHERE revision = 5",
        "UPDATE entry SET lease = lease + 1 WHERE revision = 5",
        "UPDATE entry SET lease = 1.5 WHERE revision = 5",
        "UPDATE entry SET revision = 6 WHERE revision = 5",
        "UPDATE entry SET sum = sum + 1 WHERE revision = 5",
        "UPDATE entry SET value = CAST(value AS TEXT) WHERE revision = 5",
        "UPDATE entry SET value = NULL WHERE revision = 5",
        "DELETE FROM entry WHERE revision = 5",
        "INSERT INTO entry SELECT key || x'00', sum, lease, revision, value FROM entry LIMIT 1",
    };
    put(1, 5);
    put(2, 6);
    put(3, 7);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char text[4096] = "";
        assert_int_equal(sqlite3_exec(db->handle, "SAVEPOINT s", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db->handle, changes[i], NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(state_rows_read(db, append, text, &why), STATUS_BAD_REPLY);
        assert_int_equal(sqlite3_exec(db->handle, "ROLLBACK TO s", NULL, NULL, NULL), SQLITE_OK);
        assert_rows("01=5 02=6 03=7 ");
    }
}

static void totals_stay_right_whatever_comes(void **state)
{
    (void)state;
    struct random random = random_begin(7);
    for (int i = 0; i < 5000; i++) {
        unsigned number = (unsigned)random_draw(&random, 200);
        if (random_draw(&random, 3) == 0)
            remove_it(number);
        else
            put(number, 1 + (uint32_t)random_draw(&random, 50));
    }
    char text[4096] = "";
    assert_int_equal(state_rows_read(db, append, text, &why), STATUS_OK);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(they_are_read_in_the_order_of_their_keys),
        TEST(any_octets_are_kept),
        TEST(whoever_has_enough_is_given_no_more),
        TEST(what_is_not_as_it_was_written_is_noticed),
        TEST(totals_stay_right_whatever_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
