/* A copy whose n-th allocation fails, ours or one of SQLite's: it is read whole or not at all, and stays on the disk.
 *
 * Linked with malloc(), calloc() and realloc() wrapped. */
#include "registry/state/state_db.h"
#include "support/allocation.h"
#include "support/state_store.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#include <malloc.h>
#include <stdlib.h>

static void *sqlite_malloc(int size)
{
    return malloc((size_t)size);
}

static void *sqlite_realloc(void *memory, int size)
{
    return realloc(memory, (size_t)size);
}

static int sqlite_size(void *memory)
{
    return (int)malloc_usable_size(memory);
}

static int sqlite_roundup(int size)
{
    return (size + 7) & ~7;
}

static int sqlite_init(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void sqlite_shutdown(void *arg)
{
    (void)arg;
}

static const struct sqlite3_mem_methods methods = {.xMalloc = sqlite_malloc,
                                                   .xFree = free,
                                                   .xRealloc = sqlite_realloc,
                                                   .xSize = sqlite_size,
                                                   .xRoundup = sqlite_roundup,
                                                   .xInit = sqlite_init,
                                                   .xShutdown = sqlite_shutdown};

static struct state_store store;

static void it_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    struct state_model model = {.keys = {1, 31, 62, 5}, .mark = state_store_mark(9)};
    state_store_begin(&store);
    state_store_write(&store, &model, true);
    unsigned n = 0, refused = 0;
    for (bool has_failed = true; has_failed; n++) {
        allocation_begin(n);
        enum status status = state_store_read(&store);
        has_failed = allocation_end();
        if (status == STATUS_OK)
            assert_true(state_model_is(&store.found, &model) && !store.is_odd);
        else
            assert_int_equal(status, STATUS_NO_MEMORY);
        refused += status != STATUS_OK;
    }
    print_message("%u allocations, of which %u failing refuse the copy\n", n, refused);
    assert_true(n > 20 && refused > 0);
    assert_int_equal(state_store_read(&store), STATUS_OK);
    assert_true(state_model_is(&store.found, &model));
    state_store_end(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_read_whole_or_not_at_all),
    };
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK ||
        sqlite3_initialize() != SQLITE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
