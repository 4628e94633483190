/* Changes go in and come out as they were. */
#include "registry/state/state_changes.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

static void they_come_out_in_their_order_as_they_went_in(void **state)
{
    (void)state;
    struct buffer changes;
    struct kv kv = {.key = "k\0y", .key_len = 3, .value = "value", .value_len = 5};
    struct state_mark mark = {
        .revision = 5, .cluster_id = UINT64_MAX, .serial = 7, .contact_s = -1};
    struct state_change change;
    kv.lease = INT64_MIN;
    kv.mod_revision = INT64_MAX;
    buffer_init(&changes, 1000);
    state_changes_add_clear(&changes, 3);
    state_changes_add_kv(&changes, STATE_CHANGE_PUT, &kv);
    state_changes_add_kv(&changes, STATE_CHANGE_REMOVE,
                         &(struct kv){.key = "x", .key_len = 1, .value = ""});
    state_changes_add_mark(&changes, &mark);
    const uint8_t *at = (const uint8_t *)changes.data, *end = at + changes.len;
    state_changes_next(&at, &change);
    assert_int_equal(change.kind, STATE_CHANGE_CLEAR);
    assert_int_equal(change.kv.mod_revision, 3);
    state_changes_next(&at, &change);
    assert_int_equal(change.kind, STATE_CHANGE_PUT);
    assert_int_equal(change.kv.key_len, 3);
    assert_memory_equal(change.kv.key, "k\0y", 3);
    assert_int_equal(change.kv.value_len, 5);
    assert_memory_equal(change.kv.value, "value", 5);
    assert_true(change.kv.lease == INT64_MIN && change.kv.mod_revision == INT64_MAX);
    state_changes_next(&at, &change);
    assert_int_equal(change.kind, STATE_CHANGE_REMOVE);
    assert_int_equal(change.kv.key_len, 1);
    assert_int_equal(change.kv.key[0], 'x');
    state_changes_next(&at, &change);
    assert_int_equal(change.kind, STATE_CHANGE_MARK);
    assert_memory_equal(&change.mark, &mark, sizeof(mark));
    assert_ptr_equal(at, end);
    buffer_clear(&changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_out_in_their_order_as_they_went_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
