#include "state_apply.h"

#include "registry/base/backoff.h"
#include "state_changes.h"
#include "state_head.h"
#include "state_rows.h"

#include <time.h>

#define COMMIT_EVERY_MS 1000
#define RETRY_MS        1000
#define RETRY_MAX_MS    30000
#define APPLIED_MAX     ((uint64_t)64 << 20)
#define MS_PER_S        1000
#define NS_PER_MS       1000000

uint64_t state_apply_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * MS_PER_S + (uint64_t)now.tv_nsec / NS_PER_MS;
}

void state_apply_init(struct state_apply *apply, struct state_queue *queue, struct state_copy *copy,
                      const struct log *log, uint64_t now_ms)
{
    *apply = (struct state_apply){.queue = queue,
                                  .copy = copy,
                                  .log = *log,
                                  .written_ms = now_ms,
                                  .generation = STATE_APPLY_GENERATION,
                                  .is_lost = !state_copy_is_loaded(copy)};
    state_list_init(&apply->pending);
    state_list_init(&apply->applied);
    if (apply->is_lost)
        apply->lost = STATE_APPLY_GENERATION;
    if (state_copy_db(copy))
        apply->bytes = state_db_bytes(state_copy_db(copy));
}

void state_apply_clear(struct state_apply *apply)
{
    state_queue_free_list(apply->queue, &apply->pending);
    state_queue_free_list(apply->queue, &apply->applied);
    state_copy_close(apply->copy);
}

static void state_apply_lose(struct state_apply *apply)
{
    state_queue_free_list(apply->queue, &apply->applied);
    apply->is_lost = true;
    __atomic_store_n(&apply->lost, apply->generation, __ATOMIC_RELAXED);
}

/* All that the transaction holds is undone, and is to be done again, if it is still at hand. A file
 * that is damaged, or is not there any more, is replaced by an empty one. */
static void state_apply_fail(struct state_apply *apply, enum status status, uint64_t now_ms,
                             const struct detail *why)
{
    struct state_db *db = state_copy_db(apply->copy);
    bool is_damaged = status == STATUS_BAD_REPLY, is_gone = status == STATUS_NOT_FOUND;
    __atomic_add_fetch(&apply->failures, 1, __ATOMIC_RELAXED);
    if (apply->failures_in_row++ == 0)
        log_printf(&apply->log, LOG_LEVEL_WARNING,
                   "the copy \"%s\" cannot be written, trying again: %s",
                   state_copy_path(apply->copy), why->text);
    apply->retry_ms = now_ms + backoff_pause(RETRY_MS, RETRY_MAX_MS, apply->failures_in_row);
    if (db)
        state_db_rollback(db);
    if (is_damaged || is_gone || apply->is_unrepeatable)
        state_apply_lose(apply);
    /* Where that fails, too, it is done with the first change that comes. */
    if (is_damaged || is_gone)
        (void)!state_copy_renew(apply->copy, is_damaged, NULL);
    state_list_prepend(&apply->pending, &apply->applied);
    apply->is_unrepeatable = apply->is_whole = apply->is_due = false;
}

/* In a transaction, and with tables. */
static enum status state_apply_begin(struct state_apply *apply, struct detail *why)
{
    enum status status = STATUS_OK;
    if (!state_copy_db(apply->copy))
        status = state_copy_renew(apply->copy, false, why);
    if (status == STATUS_OK)
        status = state_head_prepare(state_copy_db(apply->copy), why);
    if (status == STATUS_OK)
        status = state_db_begin(state_copy_db(apply->copy), why);
    return status;
}

static enum status state_apply_change(struct state_apply *apply, const struct state_change *change,
                                      struct detail *why)
{
    struct state_db *db = state_copy_db(apply->copy);
    apply->is_whole = change->kind == STATE_CHANGE_MARK;
    switch (change->kind) {
    case STATE_CHANGE_PUT:
        return state_rows_put(db, &change->kv, why);
    case STATE_CHANGE_REMOVE:
        return state_rows_remove(db, change->kv.key, change->kv.key_len, why);
    case STATE_CHANGE_CLEAR:
        return state_rows_clear(db, why);
    case STATE_CHANGE_MARK:
        break;
    }
    apply->mark = change->mark;
    apply->is_due = true;
    return STATUS_OK;
}

static enum status state_apply_block(struct state_apply *apply, const struct state_block *block,
                                     struct detail *why)
{
    enum status status = STATUS_OK;
    const uint8_t *at = block->octets, *end = at + block->len;
    while (at < end && status == STATUS_OK) {
        struct state_change change;
        state_changes_next(&at, &change);
        if (change.kind == STATE_CHANGE_CLEAR) {
            apply->generation = (uint64_t)change.kv.mod_revision;
            apply->is_lost = false;
        }
        if (apply->is_lost)
            continue;
        status = state_apply_begin(apply, why);
        if (status == STATUS_OK)
            status = state_apply_change(apply, &change, why);
    }
    return status;
}

/* Until it is committed: for a failure. */
static void state_apply_keep(struct state_apply *apply, struct state_block *block)
{
    if (apply->is_lost || apply->is_unrepeatable) {
        state_queue_free(apply->queue, block);
        return;
    }
    state_list_append(&apply->applied, block);
    if (apply->applied.octets <= APPLIED_MAX)
        return;
    state_queue_free_list(apply->queue, &apply->applied);
    apply->is_unrepeatable = true;
}

static enum status state_apply_commit(struct state_apply *apply, uint64_t now_ms,
                                      struct detail *why)
{
    struct state_db *db = state_copy_db(apply->copy);
    if (!state_db_is_in_place(db))
        return detail_set(why, STATUS_NOT_FOUND, "somebody has removed it");
    enum status status = state_head_commit(db, state_copy_root(apply->copy), &apply->mark, why);
    if (status != STATUS_OK)
        return status;
    state_queue_free_list(apply->queue, &apply->applied);
    apply->is_unrepeatable = apply->is_due = false;
    apply->commit_ms = now_ms + COMMIT_EVERY_MS;
    __atomic_store_n(&apply->written_ms, now_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&apply->bytes, state_db_bytes(db), __ATOMIC_RELAXED);
    if (apply->failures_in_row > 0)
        log_printf(&apply->log, LOG_LEVEL_INFO, "the copy \"%s\" is written again",
                   state_copy_path(apply->copy));
    apply->failures_in_row = 0;
    return status;
}

static bool state_apply_may_commit(const struct state_apply *apply, uint64_t now_ms, bool is_last)
{
    return apply->is_due && apply->is_whole && (is_last || now_ms >= apply->commit_ms);
}

/* Between two blocks what was applied may be whole: so that there is a commit now and then, however
 * many there are. */
static enum status state_apply_turn(struct state_apply *apply, uint64_t now_ms, bool is_last,
                                    struct detail *why)
{
    enum status status = STATUS_OK;
    if (apply->pending.first) {
        status = state_apply_block(apply, apply->pending.first, why);
        if (status == STATUS_OK)
            state_apply_keep(apply, state_list_take(&apply->pending));
    }
    is_last = is_last && !apply->pending.first;
    if (status == STATUS_OK && state_apply_may_commit(apply, now_ms, is_last))
        status = state_apply_commit(apply, now_ms, why);
    return status;
}

static bool state_apply_has_work(const struct state_apply *apply, uint64_t now_ms, bool is_last)
{
    return apply->pending.first || state_apply_may_commit(apply, now_ms, is_last);
}

uint64_t state_apply_work(struct state_apply *apply, uint64_t now_ms, bool is_last,
                          uint64_t deadline_ms)
{
    enum status status = STATUS_OK;
    struct detail why = {""};
    state_queue_take(apply->queue, &apply->pending);
    if (apply->failures_in_row > 0 && now_ms < apply->retry_ms && !is_last)
        return apply->retry_ms;
    uint64_t began_ms = state_apply_now_ms(), first_ms = now_ms;
    while (status == STATUS_OK && state_apply_has_work(apply, now_ms, is_last)) {
        status = state_apply_turn(apply, now_ms, is_last, &why);
        now_ms = first_ms + (state_apply_now_ms() - began_ms); /* a backlog takes many commits */
        if (is_last && state_apply_now_ms() >= deadline_ms)
            return UINT64_MAX;
    }
    if (status != STATUS_OK)
        state_apply_fail(apply, status, now_ms, &why);
    if (apply->pending.first)
        return apply->retry_ms;
    return apply->is_due && apply->is_whole ? apply->commit_ms : UINT64_MAX;
}
