/* An instance that has gone goes three ways. Most are passed on with the commit of the group that
 * they went in, and are remembered as long as their window lasts. If with them so many are gone that
 * all of them being expired would be too much, they are kept instead, and the leases of all in the
 * window are asked for. When it is known of one that it expired, and of all before it what they did,
 * those that expired within the window that ends with it are counted: too many, and all of them are
 * held. So the verdict is that of the time when each one went, however long etcd takes to answer; and
 * what is kept waits no longer than for the answers before it. */
#include "guard_state.h"

#include <inttypes.h>

#define GUARD_GRACE_MS 2000 /* after an outage, for the changes of its time to arrive */

static void guard_judge_trim(struct guard *guard, struct guard_type *type, uint64_t end_ms)
{
    struct guard_gone *gone;
    while ((gone = guard_type_outdated(type, end_ms)))
        guard_state_outdate(guard, gone);
}

static bool guard_judge_is_over(const struct guard *guard, const struct guard_type *type,
                                size_t count, uint64_t end_ms)
{
    return guard_type_is_over(type, count, end_ms, guard->options.share);
}

static bool guard_judge_hold_ended(const struct guard *guard, const struct guard_gone *gone)
{
    return guard_state_now_ms(guard) - gone->gone_ms >= guard->options.hold_ms;
}

static void guard_judge_begin_hold(struct guard *guard, struct guard_type *type, uint64_t end_ms)
{
    uint64_t begin_ms = end_ms > GUARD_WINDOW_MS ? end_ms - GUARD_WINDOW_MS : 0;
    uint64_t population = guard_type_population(type, begin_ms);
    uint64_t lately = type->population + type->window_count; /* some may have come since then */
    type->returned = type->released = 0;
    guard->counts.holds++;
    log_printf(guard->options.log, LOG_LEVEL_WARNING,
               "guard: %zu of %" PRIu64
               " instances of %.*s have expired within %d s: they are held for %" PRIu64
               " s each, or until they are back; do they reach etcd?",
               type->expired_count, population > lately ? population : lately,
               guard_type_name_len(type), type->name->octets, GUARD_WINDOW_MS / 1000,
               guard->options.hold_ms / 1000);
}

/* All of the window up to this one. What was held before it stands in front of what was not. */
static void guard_judge_hold(struct guard *guard, struct guard_type *type, struct guard_gone *last)
{
    struct guard_gone *gone = last, *before;
    while ((before = TAILQ_PREV(gone, guard_gone_list, window_node)) &&
           before->state != GUARD_HELD && !guard_judge_hold_ended(guard, before))
        gone = before;
    if (guard_judge_hold_ended(guard, gone))
        return;
    if (type->held_count == 0)
        guard_judge_begin_hold(guard, type, last->gone_ms);
    for (; gone != last; gone = TAILQ_NEXT(gone, window_node))
        guard_state_hold(guard, gone);
    guard_state_hold(guard, last);
}

/* From the newest on: most often it is those of the last group, in a window that may be long. */
static void guard_judge_pass_on_kept(struct guard *guard, struct guard_type *type)
{
    struct guard_gone *gone = TAILQ_LAST(&type->window, guard_gone_list);
    for (; gone && type->kept_count > 0; gone = TAILQ_PREV(gone, guard_gone_list, window_node))
        guard_state_pass_on(guard, gone);
}

/* What follows from what is known of the leases by now. */
static void guard_judge_settle(struct guard *guard, struct guard_type *type)
{
    struct guard_gone *gone;
    while ((gone = guard_type_count_next(type))) {
        guard_judge_trim(guard, type, gone->gone_ms);
        if (guard_judge_is_over(guard, type, type->expired_count, gone->gone_ms))
            guard_judge_hold(guard, type, gone);
    }
    /* All are judged, or those that are not cannot be too many any more. */
    if (type->is_judged && (!type->next || !guard_judge_is_over(guard, type, type->window_count,
                                                                guard_state_now_ms(guard)))) {
        type->is_judged = false;
        guard_judge_pass_on_kept(guard, type);
    }
}

/* Those that are asked for already stand in front of those that are not. Without memory to ask for
 * one, it is let go. */
static void guard_judge_ask(struct guard *guard, struct guard_type *type)
{
    uint64_t now_ms = guard_state_now_ms(guard);
    struct guard_gone *gone = TAILQ_LAST(&type->window, guard_gone_list), *before;
    for (; gone && !gone->is_expired && !gone->waiter.lease; gone = before) {
        before = TAILQ_PREV(gone, guard_gone_list, window_node);
        if (guard_ask_add(guard->ask, gone->copy->lease, now_ms, &gone->waiter) != STATUS_OK)
            guard_state_outdate(guard, gone);
    }
}

void guard_judge_changed(struct guard *guard)
{
    struct guard_type *type;
    uint64_t now_ms = guard_state_now_ms(guard);
    while ((type = LIST_FIRST(&guard->changed))) {
        LIST_REMOVE(type, changed_node);
        type->is_changed = false;
        if (!type->is_judged)
            guard_judge_trim(guard, type, now_ms);
        if (!type->is_judged && !guard_judge_is_over(guard, type, type->window_count, now_ms)) {
            guard_judge_pass_on_kept(guard, type);
            continue;
        }
        type->is_judged = true;
        guard_judge_ask(guard, type);
    }
}

static void guard_judge_on_answer(void *arg, struct guard_waiter *waiter, bool is_alive)
{
    struct guard *guard = arg;
    struct guard_gone *gone =
        (struct guard_gone *)(void *)((char *)waiter - offsetof(struct guard_gone, waiter));
    struct guard_type *type = gone->type;
    if (!type->is_answered)
        LIST_INSERT_HEAD(&guard->answered, type, answered_node);
    type->is_answered = true;
    if (is_alive) {
        guard->counts.deleted++;
        guard_state_delete(guard, gone);
    } else {
        guard->counts.expired++;
        gone->is_expired = true;
    }
}

static void guard_judge_on_answered(void *arg)
{
    struct guard *guard = arg;
    struct guard_type *type;
    while ((type = LIST_FIRST(&guard->answered))) {
        LIST_REMOVE(type, answered_node);
        type->is_answered = false;
        guard_judge_settle(guard, type);
    }
    guard_state_commit(guard);
}

const struct guard_ask_events guard_judge_ask_events = {guard_judge_on_answer,
                                                        guard_judge_on_answered};

/* Who holds what a load, or an etcd that is not there, may bring back any moment, waits for it. */
static void guard_judge_release(struct guard *guard, struct guard_type *type)
{
    struct guard_gone *gone;
    bool is_blind = guard->is_loading || guard->is_lost ||
                    guard_state_now_ms(guard) - guard->live_ms < GUARD_GRACE_MS;
    while (!is_blind && (gone = TAILQ_FIRST(&type->held)) && guard_judge_hold_ended(guard, gone))
        guard_state_release(guard, gone);
}

void guard_judge_tick(uv_timer_t *timer)
{
    struct guard *guard = timer->data;
    struct guard_type *type, *next;
    guard_ask_run(guard->ask, guard_state_now_ms(guard));
    for (type = LIST_FIRST(&guard->active); type; type = next) {
        next = LIST_NEXT(type, active_node);
        if (type->is_judged)
            guard_judge_settle(guard, type); /* what was asked for may be back */
        else
            guard_judge_trim(guard, type, guard_state_now_ms(guard));
        guard_judge_release(guard, type);
        if (type->window_count > 0 || type->held_count > 0 || type->is_changed)
            continue;
        LIST_REMOVE(type, active_node);
        type->is_active = type->is_judged = false;
        guard_state_tidy_type(guard, type);
    }
    guard_state_commit(guard);
    if (!LIST_EMPTY(&guard->active))
        uv_timer_start(timer, guard_judge_tick, GUARD_TICK_MS, 0);
}
