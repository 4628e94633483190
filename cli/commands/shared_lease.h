/* cli/commands/shared_lease.h - the leases of many keys: shared, LEASE_KEYS_MAX keys to one at
 * most.
 *
 * Keys of the same TTL share. The first PROMISE_TTLS_MAX TTLs are kept apart to the second, further
 * ones above 50 s are rounded up by less than 2 %, to one of a thousand: else a list in which each
 * is different would make a lease for each. A lease takes no more keys once half its time is over.
 *
 * Threads: as session.h. */
#ifndef CLI_COMMANDS_SHARED_LEASE_H
#define CLI_COMMANDS_SHARED_LEASE_H

#include "cli/args/session.h"

#define PROMISE_TTLS_MAX   64
#define PROMISE_GROUPS_MAX 2048 /* more than there can be */

/* A lease. It lives as long as its group gives it keys, its grant is under way or somebody else
 * uses it. */
struct promise {
    struct promises *promises;
    struct promise *next; /* of those whose grant has to wait */
    int64_t id;
    uint64_t ttl_s, granted_ms;
    unsigned key_count, users;
    bool is_granted;
};

/* A grant has ended. */
typedef void promise_granted(void *arg, enum status status, const struct detail *why);

struct promises {
    struct session *session;
    promise_granted *granted;
    void *arg;
    struct {
        uint64_t ttl_s;
        struct promise *promise;
    } groups[PROMISE_GROUPS_MAX];
    size_t group_count;
    struct promise *waiting, **waiting_end; /* not asked for yet */
    size_t waiting_count, grants;           /* grants: under way */
};

/* *promises must stay where it is. */
void promise_init(struct promises *promises, struct session *session, promise_granted *granted,
                  void *arg);
/* The lease of one key more, to be given to promise_release(). SYSTEM, NO_MEMORY, TOO_LARGE. */
MUST_USE enum status promise_take(struct promises *promises, uint64_t ttl_s, struct promise **out,
                                  struct detail *why);
void promise_release(struct promise *promise); /* NULL: nothing */
/* Ask etcd for those that wait, some at a time. */
void promise_ask(struct promises *promises);
/* Forget those that wait. */
void promise_drop(struct promises *promises);
/* After session_disconnect(). */
void promise_clear(struct promises *promises);

#endif
