/* registry/feed/guard_state.h - the state of the guard, and what can be done with one instance that
 * has gone: keep it, hold it, let it go.
 *
 * guard.c takes what follow reports; guard_judge.c judges what has gone. Each calls only those after
 * it, and both of them this file.
 *
 * Threads: as guard.h. */
#ifndef REGISTRY_FEED_GUARD_STATE_H
#define REGISTRY_FEED_GUARD_STATE_H

#include "guard_type.h"
#include "guard_types.h"
#include "registry/etcd/follow_types.h"

#include <uv.h>

#define GUARD_TICK_MS 250
#define GUARD_TTL_S   10 /* of what is held, at the most */

LIST_HEAD(guard_type_list, guard_type);

struct guard {
    struct guard_options options;
    struct follow_events events; /* the owner's */
    void *arg;
    uv_timer_t timer;    /* runs as long as something has gone */
    uv_timer_cb on_tick; /* guard_judge.c's: what is due */
    struct guard_ask *ask;
    struct kv_copies copies; /* services; `user` is the guard_gone of one that has gone */
    struct kv_copies types;  /* by name; `user` is the guard_type */
    struct guard_type_list active, changed, answered;
    struct guard_counts counts;
    uint64_t kept;    /* keys that the owner has and etcd has not */
    int64_t revision; /* of the last commit; 0: there was none */
    bool is_informed; /* guard_know(): that is as good as a load */
    bool has_loaded;  /* once: from then on changes count */
    bool is_loading;
    bool is_open;       /* follow has reported something since its last commit */
    bool is_unfinished; /* something was passed on since the last commit */
    bool is_lost;       /* there is no contact with etcd, */
    uint64_t live_ms;   /* or there is since then */
};

uint64_t guard_state_now_ms(const struct guard *guard);

/* Whether this is the key of a service, and its parts. */
bool guard_state_is_service(const struct guard *guard, const char *key, size_t key_len,
                            struct key_parts *parts);

/* The type of a service. NULL: none of it is known. */
struct guard_type *guard_state_find_type(const struct guard *guard, const struct key_parts *parts);
/* And make it where there is none. NULL: no memory. */
struct guard_type *guard_state_make_type(struct guard *guard, const struct key_parts *parts);
/* Free it, if none of it is known any more. */
void guard_state_tidy_type(struct guard *guard, struct guard_type *type);

/* A service with a lease has gone: keep it until it is judged. False: no memory; nothing is done. */
bool guard_state_keep(struct guard *guard, struct guard_type *type, struct kv_copy *copy,
                      int64_t revision);
/* So it was held by an earlier process, whose copy the owner has: it is again. False: the same. */
bool guard_state_hold_again(struct guard *guard, struct guard_type *type, struct kv_copy *copy,
                            int64_t revision);
/* Tell the owner that it has gone, if it is kept. It stays in the window, and may be held yet. */
void guard_state_pass_on(struct guard *guard, struct guard_gone *gone);
/* Hold it, be it kept or removed; from the oldest to the newest of a type. */
void guard_state_hold(struct guard *guard, struct guard_gone *gone);
/* Its hold is over. */
void guard_state_release(struct guard *guard, struct guard_gone *gone);
/* It is too old for the window: it is forgotten, unless it is held. */
void guard_state_outdate(struct guard *guard, struct guard_gone *gone);
/* It is gone for good, on purpose: tell the owner, if he has it, and forget it. */
void guard_state_delete(struct guard *guard, struct guard_gone *gone);
/* It is registered again: the copy is that of an instance that etcd has. */
void guard_state_return(struct guard *guard, struct guard_gone *gone);
/* Give the owner what he is to have of it: kept as it was, held under a short lease. */
void guard_state_put(struct guard *guard, const struct guard_gone *gone);

/* Commit what was passed on outside of a group of follow's. In one, follow's own commit does it. */
void guard_state_commit(struct guard *guard);

/* guard_judge.c: why have they gone, and what is to be done with them? */

/* What follows from what has gone since the last commit: it is passed on, or its leases are asked
 * for, by guard_ask_run(). */
void guard_judge_changed(struct guard *guard);

/* What follows from what etcd says of the leases; the argument is the guard. */
extern const struct guard_ask_events guard_judge_ask_events;

/* What is due: windows and holds come to their end. The timer's. */
void guard_judge_tick(uv_timer_t *timer);

#endif
