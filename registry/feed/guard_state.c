#include "guard_state.h"

#include "registry/lease_id.h"

#include <inttypes.h>
#include <stdlib.h>

uint64_t guard_state_now_ms(const struct guard *guard)
{
    return uv_now(guard->options.loop);
}

bool guard_state_is_service(const struct guard *guard, const char *key, size_t key_len,
                            struct key_parts *parts)
{
    size_t root_len = guard->options.root->len;
    if (key_len < root_len)
        return false;
    key_split(key + root_len, key_len - root_len, parts);
    return parts->kind == KEY_KIND_SERVICE;
}

struct guard_type *guard_state_find_type(const struct guard *guard, const struct key_parts *parts)
{
    const struct kv_copy *copy = kv_copies_find(&guard->types, parts->type, parts->type_len);
    return copy ? copy->user : NULL;
}

struct guard_type *guard_state_make_type(struct guard *guard, const struct key_parts *parts)
{
    struct kv kv = {.key = parts->type, .key_len = parts->type_len, .value = ""};
    struct kv_copy *copy;
    struct guard_type *type = guard_state_find_type(guard, parts);
    if (type)
        return type;
    type = malloc(sizeof(*type));
    if (!type || kv_copies_put(&guard->types, &kv, &copy) != STATUS_OK) {
        free(type);
        return NULL;
    }
    guard_type_init(type, copy);
    copy->user = type;
    return type;
}

void guard_state_tidy_type(struct guard *guard, struct guard_type *type)
{
    if (type->population > 0 || type->is_active)
        return;
    kv_copies_remove(&guard->types, type->name);
    guard_type_clear(type);
    free(type);
}

static void guard_state_activate(struct guard *guard, struct guard_type *type)
{
    if (LIST_EMPTY(&guard->active))
        uv_timer_start(&guard->timer, guard->on_tick, GUARD_TICK_MS, 0);
    if (!type->is_active)
        LIST_INSERT_HEAD(&guard->active, type, active_node);
    if (!type->is_changed)
        LIST_INSERT_HEAD(&guard->changed, type, changed_node);
    type->is_active = type->is_changed = true;
}

/* NULL: no memory; nothing is done. */
static struct guard_gone *guard_state_make(struct guard *guard, struct guard_type *type,
                                           struct kv_copy *copy, int64_t revision)
{
    struct guard_gone *gone = malloc(sizeof(*gone));
    if (!gone)
        return NULL;
    *gone = (struct guard_gone){.type = type,
                                .copy = copy,
                                .gone_ms = guard_state_now_ms(guard),
                                .revision = revision,
                                .state = GUARD_KEPT};
    copy->user = gone;
    guard->kept++;
    guard_state_activate(guard, type);
    return gone;
}

bool guard_state_keep(struct guard *guard, struct guard_type *type, struct kv_copy *copy,
                      int64_t revision)
{
    struct guard_gone *gone = guard_state_make(guard, type, copy, revision);
    if (!gone)
        return false;
    type->kept_count++;
    guard_type_change(type, gone->gone_ms, -1);
    guard_type_add(type, gone);
    return true;
}

static void guard_state_enter_hold(struct guard *guard, struct guard_gone *gone)
{
    gone->state = GUARD_HELD;
    TAILQ_INSERT_TAIL(&gone->type->held, gone, held_node);
    gone->type->held_count++;
    guard->counts.held++;
}

/* Counted among the type's instances, as those that are held are, and no event of its window. */
bool guard_state_hold_again(struct guard *guard, struct guard_type *type, struct kv_copy *copy,
                            int64_t revision)
{
    struct guard_gone *gone = guard_state_make(guard, type, copy, revision);
    if (!gone)
        return false;
    if (type->held_count == 0) {
        type->returned = type->released = 0;
        guard->counts.holds++;
    }
    guard_state_enter_hold(guard, gone);
    return true;
}

/* By its lease the owner's copy on disk knows it again. */
void guard_state_put(struct guard *guard, const struct guard_gone *gone)
{
    struct kv kv = kv_copy_kv(gone->copy);
    uint32_t ttl_s = lease_id_ttl_s(kv.lease);
    if (gone->state == GUARD_HELD)
        kv.lease = lease_id_of_held(ttl_s < GUARD_TTL_S ? ttl_s : GUARD_TTL_S);
    guard->is_unfinished = true;
    guard->events.put(guard->arg, &kv);
}

/* The owner has it no more. */
static void guard_state_remove(struct guard *guard, struct guard_gone *gone)
{
    guard->kept--;
    guard->is_unfinished = true;
    guard->events.remove(guard->arg, gone->copy->octets, gone->copy->key_len, gone->revision);
}

static void guard_state_leave_hold(struct guard *guard, struct guard_gone *gone)
{
    struct guard_type *type = gone->type;
    TAILQ_REMOVE(&type->held, gone, held_node);
    guard->counts.held--;
    if (--type->held_count == 0)
        log_printf(guard->options.log, LOG_LEVEL_INFO,
                   "guard: no instance of %.*s is held any more: %" PRIu64 " came back, %" PRIu64
                   " were let go",
                   guard_type_name_len(type), type->name->octets, type->returned, type->released);
}

void guard_state_pass_on(struct guard *guard, struct guard_gone *gone)
{
    if (gone->state != GUARD_KEPT)
        return;
    gone->state = GUARD_REMOVED;
    gone->type->kept_count--;
    guard_state_remove(guard, gone);
}

void guard_state_hold(struct guard *guard, struct guard_gone *gone)
{
    struct guard_type *type = gone->type;
    if (gone->state == GUARD_KEPT)
        type->kept_count--;
    else
        guard->kept++;
    guard_type_change(type, gone->gone_ms, 1); /* as if it had never gone */
    guard_state_enter_hold(guard, gone);
    guard_state_put(guard, gone);
}

/* Forget that it has gone. What is left is its copy. */
static struct kv_copy *guard_state_forget(struct guard_gone *gone)
{
    struct kv_copy *copy = gone->copy;
    guard_ask_cancel(&gone->waiter);
    guard_type_drop(gone->type, gone);
    copy->user = NULL;
    free(gone);
    return copy;
}

void guard_state_release(struct guard *guard, struct guard_gone *gone)
{
    guard_type_change(gone->type, guard_state_now_ms(guard), -1);
    guard->counts.released++;
    gone->type->released++;
    guard_state_remove(guard, gone);
    gone->state = GUARD_REMOVED;
    guard_state_leave_hold(guard, gone);
    if (!gone->is_in_window)
        kv_copies_remove(&guard->copies, guard_state_forget(gone));
}

void guard_state_outdate(struct guard *guard, struct guard_gone *gone)
{
    guard_state_pass_on(guard, gone);
    guard_type_drop(gone->type, gone);
    if (gone->state == GUARD_REMOVED)
        kv_copies_remove(&guard->copies, guard_state_forget(gone));
}

void guard_state_delete(struct guard *guard, struct guard_gone *gone)
{
    guard_state_pass_on(guard, gone);
    if (gone->state == GUARD_HELD) {
        guard->counts.dropped++;
        gone->type->released++;
        guard_type_change(gone->type, guard_state_now_ms(guard), -1);
        guard_state_remove(guard, gone);
        guard_state_leave_hold(guard, gone);
    }
    kv_copies_remove(&guard->copies, guard_state_forget(gone));
}

void guard_state_return(struct guard *guard, struct guard_gone *gone)
{
    struct guard_type *type = gone->type;
    if (gone->state == GUARD_HELD) {
        guard->counts.returned++;
        type->returned++;
        guard_state_leave_hold(guard, gone);
    } else {
        guard_type_change(type, guard_state_now_ms(guard), 1);
    }
    type->kept_count -= gone->state == GUARD_KEPT;
    guard->kept -= gone->state != GUARD_REMOVED;
    (void)guard_state_forget(gone);
}

void guard_state_commit(struct guard *guard)
{
    if (!guard->is_unfinished || (guard->is_open && !guard->is_loading))
        return;
    guard->is_unfinished = false;
    guard->events.commit(guard->arg, guard->is_loading ? 0 : guard->revision);
}
