/* registry/empusa_registration.h - what a registry of libempusa keeps registered: the thread's
 * side.
 *
 * A registration is a keeper on the registry's thread and a few facts under the lock, which the
 * keeper's events write and those who wait read. The lock's condition wakes them all; there are
 * few.
 *
 * Threads: the registry's own, but where it says otherwise. */
#ifndef REGISTRY_EMPUSA_REGISTRATION_H
#define REGISTRY_EMPUSA_REGISTRATION_H

#include "empusa_thread.h"
#include "keeper.h"
#include "registration.h"

struct empusa_registration {
    struct empusa *registry;
    struct empusa_registration *next, **link; /* under the lock */
    uint32_t ttl_s, timeout_ms;
    struct kv_key key;
    const char *type, *name; /* behind the struct */
    /* the thread's */
    struct keeper *keeper; /* NULL: it has ended */
    bool is_away;
    bool is_leaving; /* when closing */
    /* under the lock */
    bool is_handed_out; /* the program has it */
    bool is_registered, is_written, is_ended;
    enum status status; /* why it has ended so */
    struct detail why;
};

/* A call about one of them. */
struct empusa_registration_call {
    struct empusa_call call;
    struct empusa_registration *registration;
    const struct registration *value; /* NULL: the state */
    bool is_draining;
    enum status status;
    struct detail why;
};

/* In the registry's list, and nothing else yet. NULL: no memory. Any thread. */
struct empusa_registration *empusa_registration_new(struct empusa *registry,
                                                    const struct empusa_service *service,
                                                    const struct kv_key *key);
/* Has no keeper, or not any more. Any thread. */
void empusa_registration_free(struct empusa_registration *registration);

/* What calls about one of them run. start: its keeper; change: its value or its state; leave: it is
 * unregistered, which is_ended says. */
void empusa_registration_start(struct empusa_call *call);
void empusa_registration_change(struct empusa_call *call);
void empusa_registration_leave(struct empusa_call *call);

/* Unregister all, in deadline_ms at most; then empusa_thread_finish(). Once, when closing. */
void empusa_registration_leave_all(struct empusa *registry, uint64_t deadline_ms);

/* Release what the program has not, and the leases. When the thread has ended. */
void empusa_registration_clear_all(struct empusa *registry);

#endif
