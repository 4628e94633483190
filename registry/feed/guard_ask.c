#include "guard_ask.h"

#include "kv_copy.h"

#include <stdlib.h>

/* A request cannot be taken back: it is left behind without its lease, or without its asker. */
struct guard_question {
    LIST_ENTRY(guard_question) node;
    struct guard_ask *ask;
    struct guard_lease *lease;
};

struct guard_lease {
    TAILQ_ENTRY(guard_lease) node; /* of those that are not answered, by their time */
    LIST_HEAD(, guard_waiter) waiters;
    struct kv_copy *id;              /* in the table of leases */
    struct guard_question *question; /* NULL: it is yet to be asked */
    uint64_t since_ms;
};

struct guard_ask {
    struct etcd *etcd;
    struct guard_ask_events events;
    void *arg;
    struct kv_copies leases; /* by ID; `user` is the guard_lease */
    TAILQ_HEAD(guard_lease_list, guard_lease) waiting;
    LIST_HEAD(, guard_question) questions; /* under way */
    unsigned question_count;
    uint64_t now_ms, answered_ms;
    bool is_running;
};

enum status guard_ask_new(struct etcd *etcd, const struct guard_ask_events *events, void *arg,
                          struct guard_ask **out)
{
    struct guard_ask *ask = calloc(1, sizeof(*ask));
    if (!ask)
        return STATUS_NO_MEMORY;
    ask->etcd = etcd;
    ask->events = *events;
    ask->arg = arg;
    TAILQ_INIT(&ask->waiting);
    enum status status = kv_copies_init(&ask->leases);
    if (status == STATUS_OK)
        *out = ask;
    else
        free(ask);
    return status;
}

static void guard_ask_free_lease(struct guard_ask *ask, struct guard_lease *lease)
{
    struct guard_waiter *waiter;
    while ((waiter = LIST_FIRST(&lease->waiters)))
        guard_ask_cancel(waiter);
    if (lease->question)
        lease->question->lease = NULL;
    TAILQ_REMOVE(&ask->waiting, lease, node);
    kv_copies_remove(&ask->leases, lease->id);
    free(lease);
}

void guard_ask_free(struct guard_ask *ask)
{
    struct guard_lease *lease;
    struct guard_question *question;
    if (!ask)
        return;
    while ((lease = TAILQ_FIRST(&ask->waiting)))
        guard_ask_free_lease(ask, lease);
    while ((question = LIST_FIRST(&ask->questions))) {
        LIST_REMOVE(question, node);
        question->ask = NULL;
    }
    kv_copies_clear(&ask->leases);
    free(ask);
}

/* NULL: no memory. */
static struct guard_lease *guard_ask_lease(struct guard_ask *ask, int64_t id, uint64_t now_ms)
{
    struct kv kv = {.key = (const char *)&id, .key_len = sizeof(id), .value = "", .lease = id};
    struct kv_copy *copy = kv_copies_find(&ask->leases, kv.key, kv.key_len);
    if (copy)
        return copy->user;
    struct guard_lease *lease = calloc(1, sizeof(*lease));
    if (!lease || kv_copies_put(&ask->leases, &kv, &lease->id) != STATUS_OK) {
        free(lease);
        return NULL;
    }
    lease->id->user = lease;
    lease->since_ms = now_ms;
    TAILQ_INSERT_TAIL(&ask->waiting, lease, node);
    return lease;
}

enum status guard_ask_add(struct guard_ask *ask, int64_t lease, uint64_t now_ms,
                          struct guard_waiter *waiter)
{
    struct guard_lease *asked = guard_ask_lease(ask, lease, now_ms);
    if (!asked)
        return STATUS_NO_MEMORY;
    *waiter = (struct guard_waiter){.lease = asked, .is_late = asked->question != NULL};
    LIST_INSERT_HEAD(&asked->waiters, waiter, node);
    return STATUS_OK;
}

void guard_ask_cancel(struct guard_waiter *waiter)
{
    if (waiter->lease)
        LIST_REMOVE(waiter, node);
    waiter->lease = NULL;
}

/* For those who came late the answer that it lives is none. */
static void guard_ask_answer(struct guard_ask *ask, struct guard_lease *lease, bool is_alive)
{
    struct guard_waiter *waiter, *next;
    for (waiter = LIST_FIRST(&lease->waiters); waiter; waiter = next) {
        next = LIST_NEXT(waiter, node);
        if (waiter->is_late && is_alive) {
            waiter->is_late = false;
            continue;
        }
        guard_ask_cancel(waiter);
        ask->events.answer(ask->arg, waiter, is_alive);
    }
    TAILQ_REMOVE(&ask->waiting, lease, node);
    TAILQ_INSERT_TAIL(&ask->waiting, lease, node);
    lease->since_ms = ask->now_ms;
    if (lease->question)
        lease->question->lease = NULL; /* it is given up */
    lease->question = NULL;
    if (LIST_EMPTY(&lease->waiters))
        guard_ask_free_lease(ask, lease);
    ask->events.answered(ask->arg);
}

static void guard_ask_on_time_left(void *arg, const struct lease_result *result)
{
    struct guard_question *question = arg;
    struct guard_ask *ask = question->ask;
    struct guard_lease *lease = question->lease;
    if (lease)
        lease->question = NULL;
    if (ask)
        LIST_REMOVE(question, node);
    free(question);
    if (!ask)
        return;
    ask->question_count--;
    ask->answered_ms = ask->now_ms;
    /* With less than a second left nobody has renewed it for long: it is about to be revoked, and on
     * the member that was watched, it is. */
    if (lease)
        guard_ask_answer(ask, lease, result->status == STATUS_OK && result->left_s > 0);
    if (!ask->is_running)
        guard_ask_run(ask, ask->now_ms);
}

/* False: no memory, or all that may be is under way. */
static bool guard_ask_send(struct guard_ask *ask, struct guard_lease *lease)
{
    if (ask->question_count == GUARD_ASK_MAX)
        return false;
    struct guard_question *question = malloc(sizeof(*question));
    if (!question)
        return false;
    *question = (struct guard_question){.ask = ask, .lease = lease};
    LIST_INSERT_HEAD(&ask->questions, question, node);
    ask->question_count++;
    lease->question = question;
    lease_time_left(ask->etcd, lease->id->lease, guard_ask_on_time_left, question);
    return true;
}

void guard_ask_run(struct guard_ask *ask, uint64_t now_ms)
{
    struct guard_lease *lease, *next;
    ask->now_ms = now_ms;
    ask->is_running = true;
    for (lease = TAILQ_FIRST(&ask->waiting); lease; lease = next) {
        uint64_t heard_ms = lease->since_ms > ask->answered_ms ? lease->since_ms : ask->answered_ms;
        next = TAILQ_NEXT(lease, node);
        if (LIST_EMPTY(&lease->waiters) && !lease->question)
            guard_ask_free_lease(ask, lease);
        else if (now_ms - heard_ms >= GUARD_ASK_TIMEOUT_MS)
            guard_ask_answer(ask, lease, false);
        else if (!lease->question && !guard_ask_send(ask, lease))
            break;
    }
    ask->is_running = false;
}
