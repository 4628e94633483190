/* registry/etcd/rpc.h - one request to the cluster (an rpc): which member, how often, how long.
 *
 * An attempt on a member is: look up its addresses, ask for its version, get a token, send. When it
 * fails in a way that another member or a later attempt may not, the next member is tried; when all
 * have failed, all are tried again after a short pause until the deadline, unless no connection to
 * any of them could be made: then the error is reported at once, since waiting rarely helps.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_RPC_H
#define REGISTRY_ETCD_RPC_H

#include "client.h"
#include "rpc_request.h"

struct rpc;

/* Begin. `done` comes from the loop, even when there is no memory for the rest; NULL only when
 * there is none at all or the client is closing: then nothing will be called. */
struct rpc *rpc_start(struct etcd *etcd, const struct rpc_request *request);

/* Why there is none: NO_MEMORY, or CANCELLED while the client is closing. */
enum status rpc_refusal(const struct etcd *etcd, struct detail *why);

/* Nothing is called any more. Not after `done`. */
void rpc_cancel(struct rpc *rpc);

/* Whether an attempt was sent and not answered: etcd, or what stands before it, may carry it out yet,
 * after the answer to a later one. From `done`, too. */
bool rpc_has_stray(const struct rpc *rpc);

/* A stream has been accepted: it has no time limit any more. */
void rpc_settle(struct rpc *rpc);

/* A line of a stream carries an error: drop the token if that may be the reason. */
void rpc_refuse(struct rpc *rpc, const struct gateway_reply_error *error);

/* Step all rpcs that wait on the loop's next turn. */
void rpc_resume_all(struct etcd *etcd);

/* End all rpcs with CANCELLED. */
void rpc_close(struct etcd *etcd);

#endif
