/* registry/etcd/rpc_send.h - one attempt of an rpc on its member, as HTTP.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_RPC_SEND_H
#define REGISTRY_ETCD_RPC_SEND_H

#include "rpc_state.h"

/* Ask the member for its version, which decides its paths; PHASE_PAUSE follows. */
void rpc_send_version(struct rpc *rpc);

/* Send the request. May end the rpc. */
void rpc_send(struct rpc *rpc);

#endif
