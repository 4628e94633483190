/* registry/empusa_thread.h - the thread of a registry of libempusa, and how others have it do
 * something.
 *
 * A libuv loop belongs to one thread, so all that touches etcd happens there. A caller puts a call
 * on its own stack, hands it over and waits; the thread answers at once or when etcd has.
 *
 * Threads: as each member says. */
#ifndef REGISTRY_EMPUSA_THREAD_H
#define REGISTRY_EMPUSA_THREAD_H

#include "empusa.h"
#include "key.h"
#include "registry/base/status.h"
#include "registry/etcd/etcd.h"

#include <pthread.h>

/* The head of a caller's struct. */
struct empusa_call {
    void (*run)(struct empusa_call *call); /* on the thread; ends with empusa_thread_end() */
    struct empusa *registry;
    struct empusa_call *next;
    bool is_done; /* under the lock */
};

struct empusa {
    /* constant */
    pid_t pid; /* of the process that opened it */
    struct key_root root;
    empusa_on_event *on_event;
    void *arg;
    pthread_t thread;
    /* the thread's */
    uv_loop_t loop;
    uv_async_t wake;
    struct etcd *etcd;
    struct empusa_leases *leases;
    unsigned away; /* registrations and watches that have no contact */
    bool is_lost;  /* and it was said */
    bool is_closing;
    unsigned leaving; /* registrations that are, when closing */
    uint64_t leave_by_ms;
    void (*finish)(struct empusa *registry); /* the last of closing */
    bool is_finished;                        /* it is due */
    struct empusa_watch *watches;
    /* under the lock; `changed` wakes all who wait for anything */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* CLOCK_MONOTONIC */
    struct empusa_call *first, **last;
    struct empusa_registration *registrations;
};

/* Make the loop, the lock and the condition. SYSTEM, NO_MEMORY: there is nothing to be cleared. */
MUST_USE enum status empusa_thread_init(struct empusa *registry, struct detail *why);
/* After the thread has ended, or where there was none: what is closed on the loop is waited for. */
void empusa_thread_clear(struct empusa *registry);

MUST_USE enum status empusa_thread_start(struct empusa *registry, struct detail *why);
/* Have `finish` called once, from the loop and not from inside a callback of etcd's client, which
 * may not be closed there. From the thread. */
void empusa_thread_finish(struct empusa *registry);
/* The thread ends when all handles of the loop are closed: `wake` is closed here. From the thread.
 */
void empusa_thread_stop(struct empusa *registry);
void empusa_thread_join(struct empusa *registry);

/* Whether this is the thread. */
bool empusa_thread_is_own(const struct empusa *registry);

/* Hand a call over and wait for its end. From any other thread. */
void empusa_thread_call(struct empusa *registry, struct empusa_call *call);
/* From the thread: the call is the caller's again, and may be gone. */
void empusa_thread_end(struct empusa_call *call);

/* CLOCK_MONOTONIC, that much later. */
struct timespec empusa_thread_deadline(uint32_t delay_ms);

/* From the thread, without the lock. */
void empusa_thread_tell(struct empusa *registry, const struct empusa_event *event);

/* One that has contact of its own, a registration or a watch, has lost it, has it again, or is
 * gone: the first to lose it is told to the program as the registry's event, and that the last has
 * it again. From the thread. */
void empusa_thread_lose(struct empusa *registry, bool *is_away, int code, const char *why);
void empusa_thread_regain(struct empusa *registry, bool *is_away);
void empusa_thread_forget(struct empusa *registry, bool *is_away);

#endif
