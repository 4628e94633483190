/* cli/args/session.h - one command's talk with etcd: a loop, a client, and calls that wait for
 * their answer.
 *
 * What a call returns by value is the caller's; what went wrong is in session->why until the next
 * call.
 *
 * Threads: a session belongs to one thread. */
#ifndef CLI_ARGS_SESSION_H
#define CLI_ARGS_SESSION_H

#include "command.h"

#include "registry/base/status.h"
#include "registry/etcd/etcd.h"
#include "registry/etcd/kv.h"
#include "registry/key.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct session {
    uv_loop_t loop;
    struct etcd *etcd;
    struct key_root root;
    const struct log *log;
    struct detail why;
};

/* From the global options. On failure it says why in the log; nothing is to be closed then. `call`
 * must outlive the session. */
MUST_USE enum status session_open(struct session *session, const struct call *call);
/* Close the client, cancelling what is under way, and let the loop run until nothing is left on it:
 * handles that the caller has closed, too. */
void session_disconnect(struct session *session);
/* The same, and release the loop. */
void session_close(struct session *session);

/* What a person may do about an outage that does not end by itself: what TLS ended in, a gateway
 * that is off; "" for other statuses. */
const char *session_outage_advice(enum status status);

/* Log what went wrong, with advice. Returns the exit status. */
int session_fail(const struct session *session, enum status status);
int session_report(const struct log *log, enum status status, const struct detail *why);

/* Stream a range to `each`. */
MUST_USE enum status session_range(struct session *session, const struct kv_range *range,
                                   kv_each *each, void *arg);

/* A key as it was read; is_there false: there is none. */
struct session_kv {
    char *value; /* NUL-terminated, owned: session_kv_clear() */
    size_t value_len;
    int64_t lease, mod_revision, create_revision; /* 0 where there is none */
    bool is_there;
    bool is_cut; /* the value is longer than this */
};
MUST_USE enum status session_get(struct session *session, const struct kv_key *key,
                                 struct session_kv *out);
void session_kv_clear(struct session_kv *kv);

struct session_txn {
    bool succeeded;
    uint64_t deleted;     /* by all operations together */
    struct session_kv kv; /* the first key that a KV_GET found */
};
MUST_USE enum status session_txn(struct session *session, const struct kv_txn *txn,
                                 struct session_txn *out);

/* A new lease of this TTL. */
MUST_USE enum status session_grant(struct session *session, uint64_t ttl_s, int64_t *out);
/* Renew; *granted_s is the lease's TTL. NOT_FOUND: gone. */
MUST_USE enum status session_keep_alive(struct session *session, int64_t lease, int64_t *granted_s);

#endif
