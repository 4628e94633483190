/* The thread: what is handed over is on disk when it ends, and what is given up comes with the next load. */
#include "registry/state/state_writer.h"
#include "support/state_store.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 3000 /* of 10 ms */
#define STOP_MS  60000

static struct state_store store;
static struct state_model model;
static struct state_writer *writer;

static int begin(void **state)
{
    (void)state;
    struct detail why;
    struct state_copy *copy = NULL;
    state_store_begin(&store);
    model = (struct state_model){.mark = state_store_mark(1)};
    model.keys[0] = 5;
    state_store_write(&store, &model, false);
    return state_store_open(&store, &copy, &why) == STATUS_OK &&
                   state_store_load(&store, copy) == STATUS_OK &&
                   state_writer_start(copy, &store.lines.log, &writer, &why) == STATUS_OK
               ? 0
               : -1;
}

static int end(void **state)
{
    (void)state;
    state_store_end(&store);
    return 0;
}

static void change(unsigned number, uint32_t version)
{
    const struct kv *kv = state_store_kv(number, version);
    if (version > 0)
        state_writer_put(writer, kv);
    else
        state_writer_remove(writer, kv->key, kv->key_len);
    model.keys[number] = version;
}

static void commit(int64_t revision)
{
    model.mark = state_store_mark(revision);
    state_writer_commit(writer, &model.mark);
}

static void assert_ends_as_the_model(void)
{
    state_writer_stop(writer, STOP_MS);
    assert_int_equal(state_store_read(&store), STATUS_OK);
    assert_false(store.is_odd);
    assert_true(state_model_is(&store.found, &model));
}

static void wait_for_needs_load(void)
{
    for (int i = 0; i < PATIENCE && !state_writer_needs_load(writer); i++)
        usleep(10000);
    assert_true(state_writer_needs_load(writer));
}

static void what_was_committed_is_there_at_the_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        change(i % 300, i % 5 == 0 ? 0 : i);
        if (i % 7 == 0)
            commit((int64_t)i + 2);
    }
    commit(5000);
    assert_false(state_writer_needs_load(writer));
    assert_ends_as_the_model();
    assert_string_equal(log_lines_take(&store.lines), "");
}

static void what_was_not_is_not(void **state)
{
    (void)state;
    struct state_model whole;
    change(1, 3);
    commit(2);
    whole = model;
    assert_false(state_writer_load_begin(writer));
    for (unsigned i = 0; i < 1500; i++) {
        change(i, 31);
        if (i % 100 == 0)
            state_writer_commit(writer, NULL);
    }
    model = whole;
    struct state_writer_counts counts;
    do
        state_writer_counts(writer, &counts);
    while (counts.bytes == 0);
    assert_int_equal(counts.failures, 0);
    state_writer_stop(writer, STOP_MS);
    assert_int_equal(state_store_read(&store), STATUS_OK);
    /* The last whole one is in the transaction that was not ended, if it came within a second of another. */
    assert_true(store.found.mark.revision == 2 || store.found.mark.revision == 1);
}

static void what_is_gone_comes_with_a_load(void **state)
{
    (void)state;
    state_store_empty(&store);
    change(1, 3);
    commit(2);
    wait_for_needs_load();
    assert_non_null(strstr(log_lines_take(&store.lines), "somebody has removed it"));
    change(1, 4); /* nobody wants it */
    commit(3);
    assert_true(state_writer_load_begin(writer));
    assert_false(state_writer_needs_load(writer));
    change(2, 9);
    /* Broken off, and begun again. */
    assert_true(state_writer_load_begin(writer));
    memset(model.keys, 0, sizeof(model.keys));
    for (unsigned i = 0; i < 1500; i++)
        change(i, 31 + i);
    state_writer_commit(writer, NULL);
    commit(4);
    assert_false(state_writer_load_begin(writer)); /* an ordinary one */
    change(3, 7);
    commit(5);
    assert_ends_as_the_model();
}

static void without_one_nothing_is_wanted_and_nothing_done(void **state)
{
    (void)state;
    struct state_writer_counts counts;
    assert_false(state_writer_load_begin(NULL));
    state_writer_put(NULL, state_store_kv(1, 1));
    state_writer_remove(NULL, "k", 1);
    state_writer_commit(NULL, NULL);
    assert_false(state_writer_needs_load(NULL));
    state_writer_counts(NULL, &counts);
    assert_int_equal(counts.bytes, 0);
    state_writer_stop(NULL, 0);
    state_writer_stop(writer, STOP_MS);
}

/* Without a copy that was loaded nothing that comes is the whole. */
static void a_new_one_begins_with_a_load(void **state)
{
    (void)state;
    struct detail why;
    struct state_copy *copy = NULL;
    state_writer_stop(writer, STOP_MS);
    state_store_empty(&store);
    assert_int_equal(state_store_open(&store, &copy, &why), STATUS_OK);
    assert_int_equal(state_store_load(&store, copy), STATUS_NOT_FOUND);
    assert_int_equal(state_writer_start(copy, &store.lines.log, &writer, &why), STATUS_OK);
    change(1, 3);
    commit(2);
    assert_true(state_writer_needs_load(writer));
    assert_true(state_writer_load_begin(writer));
    memset(model.keys, 0, sizeof(model.keys));
    change(1, 3);
    commit(2);
    assert_ends_as_the_model();
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* Which is long before this machine began: its clock says nothing of that. */
static void a_copy_that_was_left_is_as_old_as_its_contact(void **state)
{
    struct state_writer_counts counts;
    uint64_t age_ms = (uint64_t)(time(NULL) - model.mark.contact_s) * 1000;
    (void)state;
    state_writer_counts(writer, &counts);
    assert_in_range(counts.age_ms, age_ms - 1000, age_ms + 60000);
    change(3, 1);
    commit(2);
    for (int i = 0; i < PATIENCE && counts.age_ms > 60000; i++) {
        usleep(10000);
        state_writer_counts(writer, &counts);
    }
    assert_in_range(counts.age_ms, 0, 60000);
    assert_ends_as_the_model();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_committed_is_there_at_the_end),         TEST(what_was_not_is_not),
        TEST(a_copy_that_was_left_is_as_old_as_its_contact),  TEST(what_is_gone_comes_with_a_load),
        TEST(without_one_nothing_is_wanted_and_nothing_done), TEST(a_new_one_begins_with_a_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
