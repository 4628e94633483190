#include "rpc_request.h"

const char *rpc_request_path(enum rpc_method method, bool is_old)
{
    static const char *const paths[RPC_METHODS][2] = {
        [RPC_RANGE] = {"/kv/range", "/kv/range"},
        [RPC_TXN] = {"/kv/txn", "/kv/txn"},
        [RPC_WATCH] = {"/watch", "/watch"},
        [RPC_LEASE_GRANT] = {"/lease/grant", "/lease/grant"},
        [RPC_LEASE_KEEP_ALIVE] = {"/lease/keepalive", "/lease/keepalive"},
        [RPC_LEASE_TIME_LEFT] = {"/lease/timetolive", "/kv/lease/timetolive"},
        [RPC_LEASE_REVOKE] = {"/lease/revoke", "/kv/lease/revoke"},
    };
    return paths[method][is_old];
}
