/* registry/etcd/rpc.h - one request to the cluster: which member, how often, how long.
 *
 * An attempt on a member is: look up its addresses, ask its version, have a token, send. When it
 * fails in a way that another member or moment may mend, the next member is tried; when all have
 * failed, all are tried again after a short pause until the deadline, unless none of them can even
 * be connected to: then waiting would only keep a person from reading so.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_RPC_H
#define REGISTRY_ETCD_RPC_H

#include "client.h"
#include "rpc_request.h"

struct call;

/* Begin. `done` comes from the loop, even when there is no memory for the rest; NULL only when
 * there is none at all or the client is closing: then nothing will be called. */
struct call *call_start(struct etcd *etcd, const struct call_request *request);

/* Nothing is called any more. Not after `done`. */
void call_cancel(struct call *call);

/* The member that is being asked; NULL between attempts. */
struct member *call_member(const struct call *call);

/* A stream has begun as it should: it has no time limit any more. */
void call_settle(struct call *call);

/* A line of a stream refuses what was asked for: a token that may be the reason is forgotten. */
void call_refuse(struct call *call, const struct reply_error *error);

/* Step all parked calls on the loop's next turn. */
void call_wake(struct etcd *etcd);

/* End all calls with CANCELLED. */
void call_close(struct etcd *etcd);

#endif
