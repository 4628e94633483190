/* Where each request goes. */
#include "rpc_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* By etcd's own list, api/etcdserverpb/rpc.proto, of 3.4 and of 3.3. */
static void each_method_has_its_path(void **state)
{
    static const struct {
        enum rpc_method method;
        const char *path, *old_path; /* NULL: the same */
    } rows[] = {
        {RPC_RANGE, "/kv/range", NULL},
        {RPC_TXN, "/kv/txn", NULL},
        {RPC_WATCH, "/watch", NULL},
        {RPC_LEASE_GRANT, "/lease/grant", NULL},
        {RPC_LEASE_KEEP_ALIVE, "/lease/keepalive", NULL},
        {RPC_LEASE_TIME_LEFT, "/lease/timetolive", "/kv/lease/timetolive"},
        {RPC_LEASE_REVOKE, "/lease/revoke", "/kv/lease/revoke"},
    };
    (void)state;
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), RPC_METHODS);
    for (size_t i = 0; i < RPC_METHODS; i++) {
        assert_string_equal(rpc_request_path(rows[i].method, false), rows[i].path);
        assert_string_equal(rpc_request_path(rows[i].method, true),
                            rows[i].old_path ? rows[i].old_path : rows[i].path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_method_has_its_path)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
