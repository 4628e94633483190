/* When changes are written, and what becomes of them when they cannot be. */
#include "registry/state/state_apply.h"
#include "registry/state/state_changes.h"
#include "registry/state/state_db.h"
#include "support/state_store.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <unistd.h>

static struct state_store store;
static struct state_queue queue;
static struct state_apply apply;
static struct state_model model;
static uint64_t now_ms;

static int begin(void **state)
{
    (void)state;
    struct detail why;
    struct state_copy *copy = NULL;
    state_store_begin(&store);
    model = (struct state_model){.mark = state_store_mark(1)};
    model.keys[0] = 5;
    state_store_write(&store, &model, false);
    state_queue_init(&queue, (uint64_t)200 << 20);
    now_ms = state_apply_now_ms();
    if (state_store_open(&store, &copy, &why) != STATUS_OK ||
        state_store_load(&store, copy) != STATUS_OK)
        return -1;
    state_apply_init(&apply, &queue, copy, &store.lines.log, now_ms);
    return 0;
}

static int end(void **state)
{
    (void)state;
    state_queue_clear(&queue);
    state_store_end(&store);
    return 0;
}

static void push(struct buffer *changes)
{
    assert_int_equal(changes->status, STATUS_OK);
    assert_int_equal(state_queue_push(&queue, changes->data, changes->len), STATUS_OK);
    buffer_clear(changes);
}

/* Keys from..to get this version, 0: they go. revision 0: that is a part of a state only. */
static void change(unsigned from, unsigned to, uint32_t version, int64_t revision)
{
    struct buffer changes;
    buffer_init(&changes, STATE_STORE_KEYS * 5000);
    for (unsigned i = from; i < to; i++)
        state_changes_add_kv(&changes, version > 0 ? STATE_CHANGE_PUT : STATE_CHANGE_REMOVE,
                             state_store_kv(i, version));
    for (unsigned i = from; i < to && revision > 0; i++)
        model.keys[i] = version;
    if (revision > 0) {
        model.mark = state_store_mark(revision);
        state_changes_add_mark(&changes, &model.mark);
    }
    push(&changes);
}

static void begin_generation(uint64_t generation)
{
    struct buffer changes;
    buffer_init(&changes, 1000);
    state_changes_add_clear(&changes, generation);
    push(&changes);
    memset(model.keys, 0, sizeof(model.keys));
}

static uint64_t work(void)
{
    return state_apply_work(&apply, now_ms, false, 0);
}

/* What a process finds that is started after this one was killed. It is killed: nothing here is as before. */
static struct state_model on_disk(void)
{
    struct state_model found;
    size_t lens[2];
    char log_path[128];
    snprintf(log_path, sizeof(log_path), "%s-wal", store.path);
    /* SQLite's lock is this process' own, and reading another way would free it: so a copy of the file is read. */
    struct state_store other;
    state_store_begin(&other);
    const char *const from[] = {store.path, log_path};
    for (int i = 0; i < 2; i++) {
        if (access(from[i], F_OK) != 0)
            continue;
        char *octets = state_store_slurp(from[i], &lens[i]), to[128];
        snprintf(to, sizeof(to), "%s%s", other.path, i == 0 ? "" : "-wal");
        state_store_spill(to, octets, lens[i]);
        free(octets);
    }
    if (state_store_read(&other) != STATUS_OK)
        other.found = (struct state_model){.mark = {0}};
    assert_false(other.is_odd);
    found = other.found;
    state_store_end(&other);
    return found;
}

static void assert_on_disk(const struct state_model *expected)
{
    struct state_model found = on_disk();
    assert_true(state_model_is(&found, expected));
}

static void finish(void)
{
    state_apply_clear(&apply);
    assert_int_equal(state_store_read(&store), STATUS_OK);
    assert_false(store.is_odd);
    assert_true(state_model_is(&store.found, &model));
}

static void a_state_is_written_at_once_and_the_next_a_second_later(void **state)
{
    (void)state;
    struct state_model first;
    change(1, 5, 7, 2);
    assert_true(work() == UINT64_MAX);
    first = model;
    assert_on_disk(&first);
    now_ms = state_apply_now_ms();
    change(3, 9, 8, 3);
    change(0, 1, 0, 4);
    uint64_t again_ms = work();
    assert_true(again_ms > now_ms && again_ms <= now_ms + 1000);
    assert_on_disk(&first);
    now_ms = again_ms;
    assert_true(work() == UINT64_MAX);
    assert_on_disk(&model);
    assert_int_equal(state_queue_octets(&queue), 0);
    finish();
    assert_string_equal(log_lines_take(&store.lines), "");
}

static void a_part_of_a_state_is_never_written(void **state)
{
    (void)state;
    struct state_model before = model;
    change(1, 500, 7, 0);
    assert_true(work() == UINT64_MAX);
    assert_on_disk(&before);
    change(1, 500, 7, 2);
    /* What comes after it is, again, a part: so it is written before that is applied. */
    change(500, 600, 9, 0);
    work();
    before = model;
    assert_on_disk(&before);
    /* One that was not due yet when the part came is gone by: the next whole one is written. */
    change(0, 1, 3, 3);
    assert_true(work() != UINT64_MAX);
    change(600, 700, 9, 0);
    now_ms += 5000;
    assert_true(work() == UINT64_MAX);
    assert_on_disk(&before);
    change(500, 700, 9, 4);
    work();
    assert_on_disk(&model);
    finish();
}

static void a_contact_alone_is_written_too(void **state)
{
    (void)state;
    struct buffer changes;
    buffer_init(&changes, 1000);
    model.mark.contact_s += 60;
    model.mark.serial++;
    state_changes_add_mark(&changes, &model.mark);
    push(&changes);
    work();
    assert_on_disk(&model);
    finish();
}

static void what_is_left_at_the_end_is_written(void **state)
{
    (void)state;
    change(1, 5, 7, 2);
    work();
    change(1, 6, 8, 3);
    assert_true(work() != UINT64_MAX);
    change(1, 7, 9, 4);
    state_apply_work(&apply, now_ms, true, UINT64_MAX);
    finish();
    assert_string_equal(log_lines_take(&store.lines), "");
}

static void after_the_deadline_nothing_is_begun(void **state)
{
    (void)state;
    struct state_model before = model;
    for (uint32_t i = 1; i < 20; i++)
        change(1, 50, i, 0);
    change(1, 50, 20, 2);
    state_apply_work(&apply, now_ms, true, now_ms);
    model = before;
    finish();
}

static void limit_pages(const char *pragma)
{
    assert_int_equal(sqlite3_exec(state_copy_db(apply.copy)->handle, pragma, NULL, NULL, NULL),
                     SQLITE_OK);
}

static void on_a_full_disk_it_is_tried_again_and_nothing_is_lost(void **state)
{
    (void)state;
    struct state_model before;
    limit_pages("PRAGMA max_page_count=8");
    change(0, 1, 0, 2);
    before = model;
    change(1, 1000, 31, 3);
    uint64_t again_ms = work();
    assert_true(again_ms >= now_ms + 1000);
    assert_string_equal(strchr(log_lines_take(&store.lines), '"') ? "said" : "", "said");
    assert_on_disk(&before);
    change(1, 2, 33, 4);
    assert_true(work() == again_ms); /* not before */
    now_ms = again_ms;
    again_ms = work();
    assert_true(again_ms >= now_ms + 2000);
    assert_string_equal(log_lines_take(&store.lines), ""); /* once */
    assert_int_equal(apply.failures, 2);
    assert_int_equal(apply.lost, 0);
    limit_pages("PRAGMA max_page_count=100000");
    now_ms = again_ms;
    now_ms = work();
    assert_non_null(strstr(log_lines_take(&store.lines), "is written again"));
    assert_true(work() == UINT64_MAX);
    assert_on_disk(&model);
    assert_int_equal(state_queue_octets(&queue), 0);
    finish();
}

static void a_generation_takes_the_place_of_what_is_there(void **state)
{
    (void)state;
    begin_generation(2);
    change(100, 200, 5, 0);
    work();
    change(200, 300, 6, 9);
    work();
    for (unsigned i = 100; i < 200; i++)
        model.keys[i] = 5;
    assert_on_disk(&model);
    finish();
}

static void what_somebody_removes_is_lost_until_the_next_generation(void **state)
{
    (void)state;
    change(1, 5, 7, 2);
    work();
    state_store_empty(&store);
    now_ms = state_apply_now_ms() + 1000;
    change(1, 6, 8, 3);
    work();
    assert_non_null(strstr(log_lines_take(&store.lines), "somebody has removed it"));
    assert_int_equal(apply.lost, STATE_APPLY_GENERATION);
    now_ms += 60000;
    change(1, 6, 9, 4); /* would be a part of the whole, and nothing says so */
    assert_true(work() == UINT64_MAX);
    assert_int_equal(state_queue_octets(&queue), 0);
    assert_int_equal(on_disk().mark.revision, 0);
    begin_generation(2);
    change(7, 9, 8, 5);
    work();
    assert_non_null(strstr(log_lines_take(&store.lines), "is written again"));
    assert_on_disk(&model);
    finish();
}

static void what_turns_out_damaged_is_put_aside_and_lost(void **state)
{
    (void)state;
    limit_pages("PRAGMA writable_schema=ON");
    assert_int_equal(
        sqlite3_exec(state_copy_db(apply.copy)->handle, "DROP TABLE entry", NULL, NULL, NULL),
        SQLITE_OK);
    change(1, 5, 7, 2);
    work();
    assert_non_null(strstr(log_lines_take(&store.lines), "cannot be written"));
    assert_int_equal(apply.lost, STATE_APPLY_GENERATION);
    char aside[128];
    snprintf(aside, sizeof(aside), "%s.damaged", store.path);
    assert_int_equal(access(aside, F_OK), 0);
    begin_generation(2);
    change(7, 9, 8, 5);
    now_ms += 60000;
    work();
    assert_on_disk(&model);
    finish();
}

static void of_a_large_load_a_failure_loses_the_generation(void **state)
{
    (void)state;
    begin_generation(2);
    for (int i = 0; i < 25; i++)
        change(0, 1000, 31 * (uint32_t)(i + 1), 0);
    work();
    assert_true(apply.is_unrepeatable);
    assert_true(state_queue_octets(&queue) < 64 << 20);
    limit_pages("PRAGMA max_page_count=8");
    change(1000, 2000, 31, 5);
    now_ms = work();
    assert_int_equal(apply.lost, 2);
    work();
    assert_int_equal(state_queue_octets(&queue), 0);
    limit_pages("PRAGMA max_page_count=100000");
    begin_generation(3);
    change(7, 9, 8, 6);
    now_ms = state_apply_now_ms() + 60000;
    work();
    assert_int_equal(apply.lost, 2);
    assert_on_disk(&model);
    finish();
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_state_is_written_at_once_and_the_next_a_second_later),
        TEST(a_part_of_a_state_is_never_written),
        TEST(a_contact_alone_is_written_too),
        TEST(what_is_left_at_the_end_is_written),
        TEST(after_the_deadline_nothing_is_begun),
        TEST(on_a_full_disk_it_is_tried_again_and_nothing_is_lost),
        TEST(a_generation_takes_the_place_of_what_is_there),
        TEST(what_somebody_removes_is_lost_until_the_next_generation),
        TEST(what_turns_out_damaged_is_put_aside_and_lost),
        TEST(of_a_large_load_a_failure_loses_the_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
