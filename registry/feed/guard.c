#include "guard.h"

#include "guard_state.h"
#include "registry/entry.h"
#include "registry/lease_id.h"

#include <inttypes.h>
#include <stdlib.h>

enum status guard_new(const struct guard_options *options, const struct follow_events *events,
                      void *arg, struct guard **out)
{
    struct guard *guard = calloc(1, sizeof(*guard));
    if (!guard)
        return STATUS_NO_MEMORY;
    guard->options = *options;
    guard->events = *events;
    guard->arg = arg;
    guard->on_tick = guard_judge_tick;
    enum status status = kv_copies_init(&guard->copies);
    if (status == STATUS_OK)
        status = kv_copies_init(&guard->types);
    if (status == STATUS_OK)
        status = guard_ask_new(options->etcd, &guard_judge_ask_events, guard, &guard->ask);
    if (status != STATUS_OK) {
        free(guard);
        return status;
    }
    uv_timer_init(options->loop, &guard->timer);
    guard->timer.data = guard;
    *out = guard;
    return STATUS_OK;
}

static void guard_free_gone(void *arg, struct kv_copy *copy)
{
    (void)arg;
    free(copy->user);
}

static void guard_free_type(void *arg, struct kv_copy *copy)
{
    (void)arg;
    guard_type_clear(copy->user);
    free(copy->user);
}

static void guard_free(uv_handle_t *handle)
{
    free(handle->data);
}

void guard_forget(struct guard *guard)
{
    guard->is_informed = false;
    kv_copies_unmark(&guard->copies);
    kv_copies_sweep(&guard->copies, guard_free_gone, NULL);
    kv_copies_clear(&guard->copies);
    kv_copies_unmark(&guard->types);
    kv_copies_sweep(&guard->types, guard_free_type, NULL);
    kv_copies_clear(&guard->types);
}

void guard_close(struct guard *guard)
{
    if (!guard)
        return;
    guard_ask_free(guard->ask);
    guard_forget(guard);
    uv_close((uv_handle_t *)&guard->timer, guard_free);
}

void guard_count(const struct guard *guard, struct guard_counts *out)
{
    *out = guard->counts;
}

/* Of what has no lease, or is no entry, only that it is there. */
static struct kv guard_to_copy(const struct kv *kv)
{
    struct kv copied = *kv;
    if (kv->lease == 0 || kv->value_len > ENTRY_VALUE_MAX) {
        copied.value_len = 0;
        copied.lease = 0;
    }
    return copied;
}

static void guard_count_instance(struct guard *guard, struct kv_copy *copy,
                                 const struct key_parts *parts)
{
    struct guard_type *type = guard_state_make_type(guard, parts);
    if (type)
        guard_type_change(type, guard->has_loaded ? guard_state_now_ms(guard) : 0, 1);
    else
        kv_copies_remove(&guard->copies, copy);
}

static void guard_copy(struct guard *guard, const struct kv *kv, const struct key_parts *parts)
{
    struct kv_copy *copy = kv_copies_find(&guard->copies, kv->key, kv->key_len), *fresh = copy;
    struct kv copied = guard_to_copy(kv);
    if (copy && copy->user)
        guard_state_return(guard, copy->user);
    if (copy && kv_copy_is(copy, &copied)) {
        kv_copies_mark(&guard->copies, copy);
    } else if (kv_copies_put(&guard->copies, &copied, &fresh) == STATUS_OK) {
        if (!copy)
            guard_count_instance(guard, fresh, parts);
    } else if (copy) {
        copy->lease = 0; /* that value it has no more: it cannot be held */
        kv_copies_mark(&guard->copies, copy);
    }
}

static void guard_note(struct guard *guard, const struct kv *kv)
{
    struct key_parts parts;
    if (guard_state_is_service(guard, kv->key, kv->key_len, &parts))
        guard_copy(guard, kv, &parts);
}

void guard_know(struct guard *guard, const struct kv *kv)
{
    guard->is_informed = true;
    guard_note(guard, kv);
}

static void guard_on_put(void *arg, const struct kv *kv)
{
    struct guard *guard = arg;
    guard->is_open = true;
    guard_note(guard, kv);
    guard->events.put(guard->arg, kv);
}

/* One that is there no more. False: the owner has to be told. */
static bool guard_take_out(struct guard *guard, struct kv_copy *copy, int64_t revision)
{
    struct key_parts parts;
    if (copy->user) { /* it was there again, and nobody has told us of that */
        guard_state_delete(guard, copy->user);
        return true;
    }
    guard_state_is_service(guard, copy->octets, copy->key_len, &parts);
    struct guard_type *type = guard_state_find_type(guard, &parts);
    bool is_again = lease_id_is_held(copy->lease);
    if (is_again && guard_state_hold_again(guard, type, copy, revision))
        return true;
    if (!is_again && copy->lease != 0 && guard_state_keep(guard, type, copy, revision))
        return true;
    guard_type_change(type, guard_state_now_ms(guard), -1);
    guard_state_tidy_type(guard, type);
    kv_copies_remove(&guard->copies, copy);
    return false;
}

static void guard_on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    struct guard *guard = arg;
    struct kv_copy *copy = kv_copies_find(&guard->copies, key, key_len);
    guard->is_open = true;
    if (!copy || !guard_take_out(guard, copy, revision))
        guard->events.remove(guard->arg, key, key_len, revision);
}

static void guard_on_load_begin(void *arg)
{
    struct guard *guard = arg;
    guard->has_loaded |= guard->is_informed; /* what the load brings is news then */
    guard->is_loading = guard->is_open = true;
    kv_copies_unmark(&guard->copies);
    guard->events.load_begin(guard->arg);
}

/* What the owner does not find in the load, it sweeps. */
static void guard_on_missing(void *arg, struct kv_copy *copy)
{
    struct guard *guard = arg;
    if (!copy->user)
        (void)guard_take_out(guard, copy, guard->revision);
}

/* What is not in etcd but is to stay has to be in the load. */
static void guard_put_kept(struct guard *guard)
{
    struct guard_type *type;
    struct guard_gone *gone;
    LIST_FOREACH(type, &guard->active, active_node)
    {
        TAILQ_FOREACH(gone, &type->held, held_node)
        guard_state_put(guard, gone);
        TAILQ_FOREACH(gone, &type->window, window_node)
        if (gone->state == GUARD_KEPT)
            guard_state_put(guard, gone);
    }
}

static void guard_on_load_end(void *arg, int64_t revision)
{
    struct guard *guard = arg;
    uint64_t held = guard->counts.held;
    guard->has_loaded = true;
    guard->revision = revision;
    kv_copies_sweep(&guard->copies, guard_on_missing, guard);
    if (guard->counts.held > held)
        log_printf(guard->options.log, LOG_LEVEL_INFO,
                   "guard: %" PRIu64
                   " instances that were held before the restart are held again, for %" PRIu64 " s",
                   guard->counts.held - held, guard->options.hold_ms / 1000);
    guard_judge_changed(guard);
    guard_put_kept(guard);
    guard->is_loading = false;
    guard->events.load_end(guard->arg, revision);
}

static void guard_on_commit(void *arg, int64_t revision)
{
    struct guard *guard = arg;
    if (!guard->is_loading)
        guard_judge_changed(guard);
    if (revision != 0) {
        guard->revision = revision;
        guard->is_open = guard->is_unfinished = false;
    }
    guard->events.commit(guard->arg, revision);
    guard_ask_run(guard->ask, guard_state_now_ms(guard));
}

static void guard_on_connection(void *arg, bool is_live, const struct detail *why)
{
    struct guard *guard = arg;
    guard->is_lost = !is_live;
    guard->live_ms = guard_state_now_ms(guard);
    guard->events.on_connection(guard->arg, is_live, why);
}

static uint64_t guard_on_count(void *arg)
{
    const struct guard *guard = arg;
    uint64_t count = guard->events.count(guard->arg);
    return count > guard->kept ? count - guard->kept : 0; /* it may have found no memory for them */
}

const struct follow_events guard_events = {
    .load_begin = guard_on_load_begin,
    .put = guard_on_put,
    .remove = guard_on_remove,
    .load_end = guard_on_load_end,
    .commit = guard_on_commit,
    .on_connection = guard_on_connection,
    .count = guard_on_count,
};
