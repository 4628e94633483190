/* tests/support/fake_etcd.h - an etcd of one key and some leases, and a clock, in the hand of a
 * test.
 *
 * kv_txn(), kv_range(), lease_*() and libuv's timers are defined here, and the linker takes these in a test that
 * includes this header:
 * nothing waits, nothing depends on the machine, and each request ends as the test wants it. Never
 * from inside the call that makes it. */
#ifndef SUPPORT_FAKE_ETCD_H
#define SUPPORT_FAKE_ETCD_H

#include "registry/etcd/kv.h"
#include "registry/etcd/lease.h"
#include "registry/lease_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#define FAKE_VALUE_MAX    1024
#define FAKE_REQUESTS_MAX 1200
#define FAKE_TIMERS_MAX   1200
#define FAKE_MUTED_MAX    32
#define FAKE_LEASES_MAX   8000

/* How the next request ends. */
enum fake_end {
    FAKE_DONE,   /* as etcd would answer */
    FAKE_FAILED, /* with a status, and it is not done */
    FAKE_LOST,   /* it is done, but the answer is that status */
    FAKE_MUTE    /* no answer, before fake_close() */
};

enum fake_kind {
    FAKE_TXN,
    FAKE_RANGE,
    FAKE_GRANT,
    FAKE_KEEP_ALIVE,
    FAKE_TIME_LEFT,
    FAKE_REVOKE,
    FAKE_KINDS
};

struct fake_request {
    enum fake_kind kind;
    int64_t compared; /* FAKE_TXN: the revision */
    bool has_op, is_delete, is_idempotent;
    char value[FAKE_VALUE_MAX];
    size_t value_len;
    int64_t lease; /* of what is put, or what the request is about */
    uint64_t ttl_s;
    uint32_t timeout_ms;
    kv_txn_done *txn_done;
    kv_each *each;
    kv_range_done *range_done;
    lease_done *lease_done;
    void *arg;
};

struct fake_timer {
    uv_timer_t *timer;
    uv_timer_cb callback;
    uint64_t due_ms;
    bool is_active;
};

struct fake {
    uint64_t now_ms;
    struct fake_timer timers[FAKE_TIMERS_MAX];
    size_t timer_count;
    uv_handle_t *closing[FAKE_TIMERS_MAX];
    uv_close_cb closed[FAKE_TIMERS_MAX];
    size_t closing_count;
    struct fake_request requests[FAKE_REQUESTS_MAX]; /* a ring of those asked, in their order */
    size_t request_count, answered_count;
    struct fake_request muted[FAKE_MUTED_MAX];
    size_t muted_count;
    /* the key */
    char value[FAKE_VALUE_MAX];
    size_t value_len;
    bool is_there;
    int64_t lease, mod_revision, create_revision, revision;
    struct {
        int64_t id;
        uint64_t ttl_s;
        uint64_t expires_ms;
    } leases[FAKE_LEASES_MAX];
    size_t lease_count;
    /* how requests end */
    struct {
        enum fake_end end;
        enum status status;
    } ends[16];
    size_t end_count, ended_count;
    enum status away;   /* of all requests, when there are no more ends; OK: etcd is there */
    bool is_mute;       /* the same: no answer to any */
    bool fails_at_once; /* there is no memory for a request: called back from inside the call */
    unsigned counts[FAKE_KINDS]; /* requests done */
    unsigned puts, deletes;
};

extern struct fake fake;

/* To be given to what is tested; it is no client. */
struct etcd *fake_etcd(void);

/* The same for a loop. */
uv_loop_t *fake_loop(void);

/* No key, no lease, no timer, nothing under way; etcd is there. */
void fake_reset(void);

/* As another client would. */
void fake_put(const char *value, int64_t lease);

/* The same. */
void fake_delete(void);

/* Whether the key is there, with this value. */
bool fake_has(const char *value);

/* Whether it was granted and has neither expired nor been revoked. */
bool fake_has_lease(int64_t id);

/* As another client would. */
void fake_grant(int64_t id, uint64_t ttl_s);

/* Without its key: that goes later, or was written elsewhere. */
void fake_forget_lease(int64_t id);

/* How the next request ends that has no end yet; those after it as etcd would answer. */
void fake_end_next(enum fake_end end, enum status status);

/* What a request says that is not done, or whose answer is lost. */
extern const struct detail fake_away;

/* One turn: a handle closes, a request is answered, or, when there is neither, the clock goes on to
 * the next timer. False: nothing happens within that time. */
bool fake_turn(uint64_t within_ms);

/* Turn for so long by the fake clock. */
void fake_run_for(uint64_t ms);

/* Until there is nothing to answer; the clock stands. */
void fake_settle(void);

/* etcd_close(): whatever is under way is cancelled. */
void fake_close(void);

#endif
