/* A writer whose n-th allocation fails: it is not started, or gives the copy up until a load brings everything.
 *
 * Linked with malloc(), calloc() and realloc() wrapped. */
#include "registry/state/state_writer.h"
#include "support/allocation.h"
#include "support/state_store.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#define STOP_MS 60000

static struct state_store store;

static struct state_copy *open_loaded(void)
{
    struct detail why;
    struct state_copy *copy = NULL;
    assert_int_equal(state_store_open(&store, &copy, &why), STATUS_OK);
    assert_int_equal(state_store_load(&store, copy), STATUS_OK);
    return copy;
}

static void it_starts_or_leaves_the_copy_to_the_caller(void **state)
{
    (void)state;
    struct detail why;
    struct state_copy *copy = open_loaded();
    struct state_writer *writer = NULL;
    for (unsigned n = 0; !writer; n++) {
        allocation_begin(n);
        enum status status = state_writer_start(copy, &store.lines.log, &writer, &why);
        allocation_end();
        /* SYSTEM: no thread. */
        assert_true(writer ? status == STATUS_OK
                           : status == STATUS_NO_MEMORY || status == STATUS_SYSTEM);
    }
    state_writer_stop(writer, STOP_MS);
}

static void a_change_without_memory_gives_the_copy_up(void **state)
{
    (void)state;
    struct detail why;
    bool has_failed = true;
    for (unsigned n = 0; has_failed; n++) {
        struct state_model model = {.keys = {1, 31}, .mark = state_store_mark(1)};
        struct state_writer *writer = NULL;
        state_store_empty(&store);
        state_store_write(&store, &model, false);
        assert_int_equal(state_writer_start(open_loaded(), &store.lines.log, &writer, &why),
                         STATUS_OK);
        struct state_mark mark = state_store_mark(2);
        allocation_begin(n);
        state_writer_put(writer, state_store_kv(2, 31));
        state_writer_commit(writer, &mark);
        has_failed = allocation_end();
        assert_int_equal(state_writer_needs_load(writer), has_failed);
        if (has_failed) {
            /* Of what comes after the gap nothing is wanted. */
            mark = state_store_mark(3);
            state_writer_put(writer, state_store_kv(4, 31));
            state_writer_commit(writer, &mark);
        } else {
            model.keys[2] = 31;
            model.mark = mark;
        }
        state_writer_stop(writer, STOP_MS);
        assert_int_equal(state_store_read(&store), STATUS_OK);
        assert_true(state_model_is(&store.found, &model));
    }
}

/* What was handed over of it before is kept for a while, and is no reason to wait. */
static void a_group_that_breaks_off_gives_the_copy_up(void **state)
{
    enum { GROUP = 4000 }; /* several blocks */
    (void)state;
    struct detail why;
    bool has_failed = true;
    for (unsigned n = 0; has_failed; n++) {
        struct state_model model = {.keys = {1, 31}, .mark = state_store_mark(1)};
        struct state_writer *writer = NULL;
        state_store_empty(&store);
        state_store_write(&store, &model, false);
        assert_int_equal(state_writer_start(open_loaded(), &store.lines.log, &writer, &why),
                         STATUS_OK);
        struct state_mark mark = state_store_mark(2);
        allocation_begin(n);
        for (unsigned i = 0; i < GROUP; i++)
            state_writer_put(writer, state_store_kv(2, i + 1));
        state_writer_commit(writer, &mark);
        has_failed = allocation_end();
        assert_int_equal(state_writer_needs_load(writer), has_failed);
        state_writer_stop(writer, STOP_MS);
        assert_int_equal(state_store_read(&store), STATUS_OK);
        if (!has_failed) {
            model.keys[2] = GROUP;
            model.mark = mark;
        }
        assert_true(state_model_is(&store.found, &model));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_or_leaves_the_copy_to_the_caller),
        cmocka_unit_test(a_change_without_memory_gives_the_copy_up),
        cmocka_unit_test(a_group_that_breaks_off_gives_the_copy_up),
    };
    struct state_model model = {.keys = {1}, .mark = state_store_mark(1)};
    state_store_begin(&store);
    state_store_write(&store, &model, false);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    state_store_end(&store);
    return failed;
}
