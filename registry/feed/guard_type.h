/* registry/feed/guard_type.h - one type of the guard: how many instances it has and had, and which
 * of them have gone lately.
 *
 * The window: what has gone within the last GUARD_WINDOW_MS before the newest that is looked at.
 * How many there were when it began is counted back from how many there are, by the changes of each
 * quarter of a second. That is exact but for that quarter, and costs nothing per instance.
 *
 * Units: *_ms is milliseconds of one clock, which is passed in. Threads: one. */
#ifndef REGISTRY_FEED_GUARD_TYPE_H
#define REGISTRY_FEED_GUARD_TYPE_H

#include "guard_ask.h"
#include "kv_copy.h"

#include <sys/queue.h>

#define GUARD_WINDOW_MS   10000
#define GUARD_EXPIRED_MIN 5 /* fewer are no mass disappearance, whatever their share */

enum guard_state {
    GUARD_KEPT,    /* the owner has not been told, since it is not known yet why it has gone */
    GUARD_REMOVED, /* the owner has been told */
    GUARD_HELD     /* it expired with too many others: the owner goes on answering it */
};

/* An instance with a lease that etcd has no more. */
struct guard_gone {
    TAILQ_ENTRY(guard_gone) window_node, held_node;
    struct guard_waiter waiter; /* for what became of its lease */
    struct guard_type *type;
    struct kv_copy *copy;
    uint64_t gone_ms;
    int64_t revision; /* at which it went, or was found missing */
    enum guard_state state;
    bool is_in_window;
    bool is_expired; /* so it has been judged */
    bool is_counted; /* among the expired of the window */
};
TAILQ_HEAD(guard_gone_list, guard_gone);

struct guard_history;

struct guard_type {
    struct kv_copy *name; /* in the table of types */
    uint64_t population;  /* instances that etcd has, and those that are held */
    struct guard_history *history;
    struct guard_gone_list window;   /* by their time */
    size_t window_count, kept_count; /* of it, and of those that are kept */
    struct guard_gone *next;         /* the first of the window that is not judged; NULL: all are */
    size_t expired_count;            /* of those before it */
    struct guard_gone_list held;     /* by their time, too */
    size_t held_count;
    uint64_t returned, released; /* since the first of those was held */
    LIST_ENTRY(guard_type) active_node, changed_node, answered_node;
    bool is_active;   /* something has gone: it is looked after */
    bool is_changed;  /* something has gone since the last commit */
    bool is_answered; /* answers about its leases have come that are yet to be acted upon */
    bool is_judged;   /* so much has gone that leases are asked for */
};

void guard_type_init(struct guard_type *type, struct kv_copy *name);
void guard_type_clear(struct guard_type *type);

/* Instances have come or gone, at that time; 0: before anything that counts. */
void guard_type_change(struct guard_type *type, uint64_t at_ms, int change);

/* How many there were at that time. */
uint64_t guard_type_population(const struct guard_type *type, uint64_t at_ms);

/* Whether so many of those that there were at the beginning of the window that ends then are more
 * than the share, in percent. */
bool guard_type_is_over(const struct guard_type *type, size_t count, uint64_t end_ms,
                        unsigned share);

/* Put one into the window, as the newest; take it out. */
void guard_type_add(struct guard_type *type, struct guard_gone *gone);
void guard_type_drop(struct guard_type *type, struct guard_gone *gone);

/* The oldest of the window, if it is too old for one that ends then; NULL: it is not. */
struct guard_gone *guard_type_outdated(const struct guard_type *type, uint64_t end_ms);

/* The first that is not judged, if that can be done: it has expired. It counts from now on. NULL:
 * there is none, or what became of its lease is not known. */
struct guard_gone *guard_type_count_next(struct guard_type *type);

/* The name, for messages. */
int guard_type_name_len(const struct guard_type *type);

#endif
