/* registry/registrar.h - change one key of the registry once: register, unregister, drain, and a
 * switch's ways.
 *
 * Each of them reads the key, decides what to do about what is there, and makes the change only
 * where the key is still as it was read (kv.h says why); if it is not, it decides again
 * about what is there now. Where it must be known whether it was we who made the change, as in
 * toggling, an attempt without an answer is not repeated before the key has been looked at.
 *
 * What this cannot tell apart is a key that was not there and is not there again: an attempt that
 * was given up and was to make it makes it then.
 *
 * Units: *_s is whole seconds. Threads: as etcd.h. */
#ifndef REGISTRY_REGISTRAR_H
#define REGISTRY_REGISTRAR_H

#include "key.h"
#include "registry/etcd/etcd.h"

/* What became of it, as far as etcd has answered. */
enum registrar_outcome {
    REGISTRAR_CHANGED,   /* it is done: there was something, and it is changed or deleted, */
    REGISTRAR_CREATED,   /* or there was nothing, and now there is */
    REGISTRAR_ENABLED,   /* or, of a switch that is turned over, it is "yes" now, */
    REGISTRAR_DISABLED,  /* or "no" */
    REGISTRAR_UNCHANGED, /* it was so already */
    REGISTRAR_ABSENT,    /* there is no such key, so nothing was done */
    REGISTRAR_UNFIT      /* what is there cannot be changed so: *why. Nothing was done */
};

/* Once, from the loop, never from inside the call that began it; or with CANCELLED from
 * etcd_close(). *why is borrowed for the call.
 * OK: *outcome. CONFLICT: others were faster all the time. NOT_FOUND: the lease of the entry went
 * while it was changed, and the entry with it. SYSTEM: no random number. Others as kv.h and
 * lease.h: it may have been done. */
typedef void registrar_done(void *arg, enum status status, enum registrar_outcome outcome,
                            const struct detail *why);

enum registrar_kind {
    /* Write a service's entry. With a TTL: where the key has this value already under a lease of
     * ours with this TTL, that lease is renewed (UNCHANGED); else it is written under a new one. */
    REGISTRAR_REGISTER,
    /* Delete a key, a service's or a switch's. */
    REGISTRAR_REMOVE,
    /* Set an entry's state, and nothing else of it: its lease stays. UNCHANGED: it is in that
     * state, and is written again all the same, so that an older attempt to change it that is still
     * on its way finds another revision. UNFIT: the value is no entry. */
    REGISTRAR_DRAIN,
    REGISTRAR_UNDRAIN,
    /* Write a switch; leases as for REGISTER. */
    REGISTRAR_SET_SWITCH,
    /* Turn a switch over, keeping its lease: of yes/true/y/on/1/enabled and
     * no/false/n/off/0/disabled, in any case and with blanks around, the former become "no"
     * (DISABLED), the latter "yes" (ENABLED). UNFIT: it is neither. CONFLICT as soon as another
     * process was faster. */
    REGISTRAR_TOGGLE_SWITCH,
    /* Give a switch the value where it has the one expected, or make it where there is none
     * (CREATED). UNFIT: it has another. */
    REGISTRAR_EXCHANGE_SWITCH
};

/* Borrowed for the call. */
struct registrar_change {
    enum registrar_kind kind;
    const struct kv_key *key;
    const char *value; /* of REGISTER, SET_SWITCH, EXCHANGE_SWITCH */
    size_t value_len;
    const char *expected; /* of EXCHANGE_SWITCH */
    size_t expected_len;
    uint64_t ttl_s; /* of the lease that these three write it under; 0: none */
};

/* Begin a change. Returns at once.
 * OK: `done` will be called. NO_MEMORY, CANCELLED (the client is being closed): it will not. */
MUST_USE enum status registrar_start(struct etcd *etcd, const struct registrar_change *change,
                                     registrar_done *done, void *arg);

#endif
