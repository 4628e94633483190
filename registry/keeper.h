/* registry/keeper.h - keep one entry in the registry, as long as this process wants it there.
 *
 * At every beat the lease is renewed and the entry is compared with what it should be, by a
 * transaction and not by a watch, which would cost etcd 100 kB a process. What vanished is put
 * back; so is what another process changed, but for a `state` that `service drain` changed: that
 * is adopted, and lasts as long as the keeper. A lost lease is granted anew. An outage is reported
 * once and retried with jittered back-off, whatever its length, until all is well again.
 *
 * A keeper has a lease of its own, shares one with other keepers of the process (kept_lease.h), or
 * has none: then each beat writes the entry.
 *
 * It reads no clock but the loop's, and no signal; what happens is told by events.
 *
 *     keeper_new() .. REGISTERED .. REFRESHED ..      OUTAGE .. RECOVERED ..
 *     keeper_stop() .. UNREGISTERED, or why not .. ENDED
 *
 * Whoever withdraws an entry for a while, as a failed check does, stops its keeper and makes
 * another one later; a kept_lease that it shares need not go with it.
 *
 * Units: *_ms is milliseconds, *_s whole seconds. Threads: the loop's. */
#ifndef REGISTRY_KEEPER_H
#define REGISTRY_KEEPER_H

#include "kept_lease.h"

#define KEEPER_LEAVE_MS 5000 /* how long a process that is to end waits for etcd */

struct keeper;

enum keeper_event {
    KEEPER_REGISTERED, /* for the first time */
    KEEPER_REFRESHED,  /* a beat: all is as it should be */
    KEEPER_UPDATED,    /* the value of keeper_set_value() or keeper_set_draining() is written */
    KEEPER_VANISHED,   /* it was not there any more: it is put back */
    KEEPER_CHANGED,    /* another process changed it: it is put back */
    KEEPER_DRAINING,   /* another process drained it, and that is adopted, */
    KEEPER_UP,         /* or ended the draining */
    KEEPER_LEASE_LOST, /* etcd no longer knows the lease: another one is asked for */
    KEEPER_OUTAGE,     /* of `status`, for the reason `why`: tried again. Once for each kind */
    KEEPER_RECOVERED,  /* etcd answers again, and all is as it should be */

    /* How it ends: one of these, or none where nothing was written and etcd does not answer, */
    KEEPER_REFUSED, /* of `status`, `why`: nothing was ever registered, and trying again is in vain
                     */
    KEEPER_UNREGISTERED,
    KEEPER_ALREADY_UNREGISTERED, /* it was not there */
    KEEPER_LEFT_ALONE,           /* another process changed it: it stays as that left it */
    /* Of `status`, `why`: it stands there until its lease is over, or may do so, as the answer to
     * the first write was lost. */
    KEEPER_NOT_UNREGISTERED,
    /* and always this one. It is the last event. */
    KEEPER_ENDED
};

/* Always from the loop, never from inside a call of keeper.h. status and *why are OK and "" for
 * events that do not mention them; *why is borrowed for the call. The keeper may be freed in it. */
typedef void keeper_on_event(void *arg, enum keeper_event event, enum status status,
                             const struct detail *why);

struct keeper_options {
    struct etcd
        *etcd; /* must outlive the keeper, as must loop: keeper_free() before etcd_close() */
    uv_loop_t *loop;
    const char *key; /* key and value are copied */
    size_t key_len;
    const char *value;
    size_t value_len;
    /* One that others share; NULL: one of its own, of ttl_s; 0: none. */
    struct kept_lease *lease;
    uint64_t ttl_s;
    uint64_t refresh_ms; /* from beat to beat; shorter than the lease's TTL */
    keeper_on_event *on_event;
    void *arg;
};

/* Begin to keep an entry, on the loop's next turn. Does not block.
 * OK: *out is to be given to keeper_free(). TOO_MANY: the shared lease has LEASE_KEYS_MAX users.
 * NO_MEMORY. */
MUST_USE enum status keeper_new(const struct keeper_options *options, struct keeper **out);

/* No event comes any more; what is under way is not waited for, and the entry stays until its lease
 * is over. NULL: nothing. The memory is released on the loop's next turns, once the request that is
 * under way has ended: etcd_close() ends it. */
void keeper_free(struct keeper *keeper);

/* Exchange the value, at once: UPDATED says when it is written. The state that the entry has, of
 * its own or adopted, is kept. After keeper_stop() it changes nothing.
 * BAD_INPUT: it is no entry; *why (may be NULL) says what is wrong. TOO_LARGE, NO_MEMORY. */
MUST_USE enum status keeper_set_value(struct keeper *keeper, const char *value, size_t value_len,
                                      struct detail *why);
/* Drain the entry, or end that; as keeper_set_value(). No event comes where it is so already. */
MUST_USE enum status keeper_set_draining(struct keeper *keeper, bool is_draining,
                                         struct detail *why);

/* Leave: delete the entry where it is still our own. Its lease runs out by itself. But where a write
 * had no answer it is revoked, unless somebody else uses it: so what comes late is refused. What is
 * under way is waited for first, lest what it writes comes after the deletion. ENDED comes at most
 * deadline_ms later. A second call does nothing: who cannot wait frees the keeper. */
void keeper_stop(struct keeper *keeper, uint64_t deadline_ms);

/* Whether the entry stands in the registry, so far as we know: it was registered, and was not
 * unregistered since. */
bool keeper_is_registered(const struct keeper *keeper);
/* The same, or what became of the first write is not known. */
bool keeper_may_be_registered(const struct keeper *keeper);
/* Whether it stands there with the value and the state that it was last given. */
bool keeper_is_written(const struct keeper *keeper);

#endif
