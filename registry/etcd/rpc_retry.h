/* registry/etcd/rpc_retry.h - what came back decides how an rpc goes on: it is the answer, or the same
 * member, another one, or nobody is asked again.
 *
 * Each of these may end the rpc.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_RPC_RETRY_H
#define REGISTRY_ETCD_RPC_RETRY_H

#include "rpc_state.h"

/* An answer with 200 is complete. */
void rpc_retry_answered(struct rpc *rpc);

/* etcd answered other than with 200; what it said is in rpc->reply. */
void rpc_retry_refused(struct rpc *rpc, long http_status);

/* An answer with 200 makes no sense; rpc->why says how. */
void rpc_retry_nonsense(struct rpc *rpc);

/* The connection could not be made, or broke. */
void rpc_retry_broken(struct rpc *rpc, const struct http_client_result *result);

#endif
