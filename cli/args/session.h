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

#include "registry/etcd/kv.h"
#include "registry/registrar.h"

struct session {
    uv_loop_t loop;
    struct etcd *etcd;
    struct key_root root;
    const struct call *call;
    const struct log *log; /* the call's */
    struct detail why;
    enum status status; /* of the call that is waited for, */
    bool is_done;       /* when it is */
};

/* An event loop, or why there is none: SYSTEM. */
MUST_USE enum status session_loop_init(uv_loop_t *loop, struct detail *why);

/* From the global options. On failure it says why in the log; nothing is to be closed then. `call`
 * must outlive the session. */
MUST_USE enum status session_open(struct session *session, const struct call *call);
/* Close the client, cancelling what is under way, and let the loop run until nothing is left on it:
 * handles that the caller has closed, too. */
void session_disconnect(struct session *session);
/* The same, and release the loop. */
void session_close(struct session *session);

/* Open a session, use it, close it. Returns the exit status: what `use` says. */
typedef int session_use(struct session *session, void *arg);
int session_run(const struct call *call, session_use *use, void *arg);

/* What a person may look at in an outage, while it is tried again; "" for other statuses. */
const char *session_outage_advice(enum status status);

/* Log what went wrong, with advice. Returns the exit status. */
int session_fail(const struct session *session, enum status status);
int session_report(const struct log *log, enum status status, const struct detail *why);

/* Wait for a call of the client's, until its callback says how it ended. Returns that. */
MUST_USE enum status session_wait(struct session *session);
void session_end_wait(struct session *session, enum status status, const struct detail *why);

/* A key's value as it was read; text NULL: there is none. */
struct session_value {
    char *text; /* NUL-terminated, owned: free() */
    size_t len;
    bool is_cut; /* it is longer than this */
};
MUST_USE enum status session_get(struct session *session, const struct kv_key *key,
                                 struct session_value *out);

/* Change a key once. */
MUST_USE enum status session_change(struct session *session, const struct registrar_change *change,
                                    enum registrar_outcome *outcome);

#endif
