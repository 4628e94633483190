/* cli/commands/shared_lease.h - the leases of many keys: shared, LEASE_KEYS_MAX keys to one at
 * most.
 *
 * Keys of the same TTL share. The first SHARED_LEASE_TTLS_MAX TTLs are kept apart to the second, further
 * ones above 50 s are rounded up by less than 2 %, to one of a thousand: else a list in which each
 * is different would make a lease for each. A lease takes no more keys once half its time is over.
 *
 * Threads: as session.h. */
#ifndef CLI_COMMANDS_SHARED_LEASE_H
#define CLI_COMMANDS_SHARED_LEASE_H

#include "cli/args/session.h"

#define SHARED_LEASE_TTLS_MAX   64
#define SHARED_LEASE_GROUPS_MAX 2048 /* more than there can be */

/* A lease. It lives as long as its group gives it keys, its grant is under way or somebody else
 * uses it. */
struct shared_lease {
    struct promises *promises;
    struct shared_lease *next; /* of those whose grant has to wait */
    int64_t id;
    uint64_t ttl_s, granted_ms;
    unsigned key_count, users;
    bool is_granted;
};

/* A grant has ended. */
typedef void shared_lease_granted(void *arg, enum status status, const struct detail *why);

struct promises {
    struct session *session;
    shared_lease_granted *granted;
    void *arg;
    struct {
        uint64_t ttl_s;
        struct shared_lease *promise;
    } groups[SHARED_LEASE_GROUPS_MAX];
    size_t group_count;
    struct shared_lease *waiting, **waiting_end; /* not asked for yet */
    size_t waiting_count, grants;                /* grants: under way */
};

/* *promises must stay where it is. */
void shared_lease_init(struct promises *promises, struct session *session,
                       shared_lease_granted *granted, void *arg);
/* The lease of one key more, to be given to shared_lease_release(). SYSTEM, NO_MEMORY, TOO_LARGE. */
MUST_USE enum status shared_lease_take(struct promises *promises, uint64_t ttl_s,
                                       struct shared_lease **out, struct detail *why);
void shared_lease_release(struct shared_lease *promise); /* NULL: nothing */
/* Ask etcd for those that wait, some at a time. */
void shared_lease_ask(struct promises *promises);
/* Forget those that wait. */
void shared_lease_drop(struct promises *promises);
/* After session_disconnect(). */
void shared_lease_clear(struct promises *promises);

#endif
