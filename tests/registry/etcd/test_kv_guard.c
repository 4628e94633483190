#include "registry/etcd/kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void it_does_what_is_asked_where_the_revision_is_the_one_seen_and_else_reads(void **state)
{
    (void)state;
    struct kv_guard guard;
    const struct kv_op put = {.kind = KV_PUT, .key = "abc", .key_len = 2, .value = "v"};
    kv_guard_init(&guard, "abc", 2, 7, &put);
    assert_int_equal(guard.txn.compare_count, 1);
    const struct kv_compare *compare = &guard.txn.compares[0];
    assert_true(compare->mod_revision == 7 && compare->key_len == 2);
    assert_memory_equal(compare->key, "ab", 2);
    assert_true(guard.txn.success_count == 1 && guard.txn.success == &put);
    assert_int_equal(guard.txn.failure_count, 1);
    assert_true(guard.txn.failure[0].kind == KV_GET && guard.txn.failure[0].key_len == 2);
    assert_memory_equal(guard.txn.failure[0].key, "ab", 2);
    assert_true(guard.txn.is_idempotent && guard.txn.timeout_ms == 0);
    kv_guard_init(&guard, "abc", 2, 0, NULL);
    assert_int_equal(guard.txn.success_count, 0);
}

static void what_is_there_instead_is_found(void **state)
{
    (void)state;
    const struct kv_op_result none = {.is_found = false},
                              one = {.is_found = true, .kv = {.key = "k"}};
    struct kv_txn_result result = {.succeeded = false, .ops = &one, .op_count = 1};
    assert_ptr_equal(kv_guard_found(&result), &one.kv);
    result.succeeded = true;
    assert_null(kv_guard_found(&result));
    result = (struct kv_txn_result){.ops = &none, .op_count = 1};
    assert_null(kv_guard_found(&result));
    result = (struct kv_txn_result){.op_count = 0};
    assert_null(kv_guard_found(&result));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_what_is_asked_where_the_revision_is_the_one_seen_and_else_reads),
        cmocka_unit_test(what_is_there_instead_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
