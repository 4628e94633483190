/* A beat is: the lease is made fresh, then one transaction looks whether the entry's revision still
 * is the one at which it was last as it should be, or writes it there. Only when it is not does
 * another step follow, told by what the transaction found. One request at most is under way, so
 * nothing that was asked earlier is answered later. */
#include "keeper.h"

#include "kept_value.h"
#include "outage.h"
#include "registry/etcd/kv.h"

#include <stdlib.h>
#include <string.h>

#define KEEPER_TRIES_MAX 4 /* of one beat: somebody else writes, too */

struct keeper {
    struct etcd *etcd;
    uv_loop_t *loop;
    keeper_on_event *on_event;
    void *arg;
    uint64_t refresh_ms;
    struct kept_lease_share lease; /* all zero: without one */
    struct kept_value value; /* what the entry should be: as given, or with the state changed */
    int64_t written_lease;   /* of the entry when it was last as it should be, */
    int64_t revision;        /* and its revision then; 0: never yet */
    unsigned tries;          /* to write, in this beat */
    unsigned leaves;         /* tries to delete */
    uv_timer_t timer;        /* the next beat; when leaving, the deadline */
    uint64_t beat_ms;        /* when this beat began */
    uint64_t deadline_ms;    /* on the loop's clock */
    struct outage outage;
    struct detail why; /* of the last failure */
    unsigned requests; /* whose callbacks will come */
    bool is_registered, is_busy, is_leaving, is_over;
    bool is_unsure, was_unsure; /* what a write came to is not known; and before the last request */
    size_t key_len;
    char key[];
};

static void keeper_on_timer(uv_timer_t *timer);
static void keeper_on_answered(void *arg, enum status status, const struct kv_txn_result *result,
                               const struct detail *why);
static void keeper_on_lease(void *arg, enum status status, const struct detail *why);
static void keeper_leave(struct keeper *keeper);

static void keeper_tell_why(struct keeper *keeper, enum keeper_event event, enum status status,
                            const struct detail *why)
{
    if (!keeper->is_over)
        keeper->on_event(keeper->arg, event, status, why);
}

static void keeper_tell(struct keeper *keeper, enum keeper_event event)
{
    keeper_tell_why(keeper, event, STATUS_OK, &(struct detail){""});
}

/* Whoever is told may free the keeper in the event. Its memory stays all the same, until the timer
 * is closed. */
static void keeper_end(struct keeper *keeper)
{
    keeper_tell(keeper, KEEPER_ENDED);
    keeper->is_over = true;
    uv_timer_stop(&keeper->timer);
}

static void keeper_wake_in(struct keeper *keeper, uint64_t delay_ms)
{
    if (!keeper->is_over)
        uv_timer_start(&keeper->timer, keeper_on_timer, delay_ms, 0);
}

/* A beat has ended. */
static void keeper_wait(struct keeper *keeper, uint64_t delay_ms)
{
    keeper->is_busy = false;
    if (keeper->is_leaving)
        keeper_leave(keeper);
    else
        keeper_wake_in(keeper, delay_ms);
}

/* It has ended with all as it should be. The next is due from when this one began, lest slow
 * answers stretch the time between renewals. */
static void keeper_rest(struct keeper *keeper)
{
    uint64_t now_ms = uv_now(keeper->loop), due_ms = keeper->beat_ms + keeper->refresh_ms;
    if (outage_end(&keeper->outage))
        keeper_tell(keeper, KEEPER_RECOVERED);
    keeper_wait(keeper,
                due_ms > now_ms && !kept_value_is_news(&keeper->value) ? due_ms - now_ms : 0);
}

/* It has ended without: etcd did not do what it should. What is permanent ends a keeper only as
 * long as nothing can stand there: a role that is taken away from a service that runs may be given
 * back. A beat is shorter than the lease, the back-off need not be. */
static void keeper_retry(struct keeper *keeper, enum status status, const struct detail *why)
{
    keeper->why = *why;
    if (!keeper_may_be_registered(keeper) && outage_is_permanent(status)) {
        keeper_tell_why(keeper, KEEPER_REFUSED, status, why);
        keeper_end(keeper);
        return;
    }
    if (outage_is_new(&keeper->outage, status))
        keeper_tell_why(keeper, KEEPER_OUTAGE, status, why);
    keeper_wait(keeper, outage_delay_ms(&keeper->outage, keeper->refresh_ms));
}

/* Change the entry, or only look, where its revision still is the one that was seen. A request of
 * the lease needs no such guard: what comes late finds it as it is. */
static void keeper_ask(struct keeper *keeper, int64_t seen_revision, const struct kv_op *op,
                       uint32_t timeout_ms)
{
    struct kv_guard guard;
    if (keeper->is_over)
        return;
    kv_guard_init(&guard, keeper->key, keeper->key_len, seen_revision, op);
    guard.txn.timeout_ms = timeout_ms;
    keeper->requests++;
    keeper->was_unsure = keeper->is_unsure;
    keeper->is_unsure = keeper->is_unsure || (op && op->kind == KV_PUT);
    kv_txn(keeper->etcd, &guard.txn, keeper_on_answered, keeper);
}

static void keeper_see(struct keeper *keeper, const struct kv *found)
{
    keeper->revision = found->mod_revision;
    keeper->written_lease = found->lease;
    kept_lease_spare(&keeper->lease, found->lease);
}

/* Written by us, if not under this lease or with this value: no other process is to blame. */
static bool keeper_is_ours(const struct keeper *keeper, const struct kv *found)
{
    return kept_lease_has_been(&keeper->lease, found->lease) &&
           (kept_value_is(&keeper->value, found) || kept_value_was(&keeper->value, found));
}

/* `service drain` or `undrain` did it: our value with the other state. Then that is the state that
 * we keep. A value that was given meanwhile takes it over, and is still to be written. */
static bool keeper_adopt_state(struct keeper *keeper, const struct kv *found)
{
    /* Without a lease nothing in the entry says whose it is: before we wrote one it is not ours. */
    bool is_draining, is_own = keeper->lease.id != 0 || keeper->is_registered;
    if (!is_own || found->lease != keeper->lease.id ||
        !kept_value_adopt(&keeper->value, found, &is_draining))
        return false;
    keeper_tell(keeper, is_draining ? KEEPER_DRAINING : KEEPER_UP);
    return true;
}

/* `written`: the number of the value that is there now. */
static void keeper_be_registered(struct keeper *keeper, unsigned written)
{
    bool is_another = kept_value_confirm(&keeper->value, written);
    kept_lease_spare(&keeper->lease, keeper->lease.id);
    enum keeper_event event = is_another ? KEEPER_UPDATED : KEEPER_REFRESHED;
    if (!keeper->is_registered)
        event = KEEPER_REGISTERED;
    keeper->is_registered = true;
    keeper_tell(keeper, event);
    keeper_rest(keeper);
}

/* What is registered for the first time takes the place of whatever is there. */
static void keeper_tell_found(struct keeper *keeper, const struct kv *found)
{
    if (keeper->is_registered && !(found && keeper_is_ours(keeper, found)))
        keeper_tell(keeper, found ? KEEPER_CHANGED : KEEPER_VANISHED);
}

static void keeper_write(struct keeper *keeper, int64_t seen_revision)
{
    struct kv_op put = {.kind = KV_PUT,
                        .key = keeper->key,
                        .key_len = keeper->key_len,
                        .value = keeper->value.text,
                        .value_len = keeper->value.len,
                        .lease = keeper->lease.id};
    keeper->tries++;
    kept_value_send(&keeper->value);
    keeper_ask(keeper, seen_revision, &put, 0);
}

/* It is not as it was seen last. */
static void keeper_put_back(struct keeper *keeper, const struct kv *found)
{
    struct detail changed;
    /* As it should be: written by us, though the answer may have been lost. */
    bool is_kept =
        found && found->lease == keeper->lease.id && kept_value_is(&keeper->value, found);
    /* A keeper that leaves puts nothing back. Tries are bounded, as two processes that keep the
     * same entry would overwrite each other without end. */
    if (keeper->is_leaving) {
        keeper_wait(keeper, 0);
    } else if (is_kept || (found && keeper_adopt_state(keeper, found))) {
        keeper_see(keeper, found);
        keeper_be_registered(keeper, is_kept ? keeper->value.number : keeper->value.written);
    } else if (keeper->tries == KEEPER_TRIES_MAX) {
        keeper_retry(keeper, detail_set(&changed, STATUS_CONFLICT, "the entry is being changed"),
                     &changed);
    } else {
        keeper_tell_found(keeper, found);
        keeper_write(keeper, found ? found->mod_revision : 0);
    }
}

static void keeper_dispose(struct keeper *keeper)
{
    kept_lease_leave(&keeper->lease);
    kept_value_clear(&keeper->value);
    free(keeper);
}

/* A callback has come. False: too late. The last one, be it the timer's or a request's, frees. */
static bool keeper_is_awaited(struct keeper *keeper)
{
    if (--keeper->requests == 0) {
        keeper_dispose(keeper);
        return false;
    }
    return !keeper->is_over;
}

static void keeper_on_revoked(void *arg, enum status status, const struct detail *why)
{
    (void)status, (void)why;
    keeper_end(arg);
}

/* A lease that something was written under runs out: that it lives shows that the entry was deleted
 * on purpose. But where a write had no answer, it may come late: then the lease is revoked, and that
 * is refused. */
static void keeper_give_lease_back(struct keeper *keeper)
{
    keeper->is_registered = keeper->is_unsure = false;
    if (!keeper->lease.lease)
        keeper_end(keeper);
    else if (!keeper->is_over)
        kept_lease_revoke(&keeper->lease, keeper_on_revoked);
}

static void keeper_give_up(struct keeper *keeper, enum status status, const struct detail *why)
{
    if (keeper_may_be_registered(keeper))
        keeper_tell_why(keeper, KEEPER_NOT_UNREGISTERED, status, why);
    keeper_end(keeper);
}

/* False: it is to be tried again. */
static bool keeper_has_left(struct keeper *keeper, const struct kv_txn_result *result,
                            const struct kv *found)
{
    if (!found) {
        bool is_deleted = result->succeeded && result->op_count > 0 && result->ops[0].deleted > 0;
        keeper_tell(keeper, is_deleted ? KEEPER_UNREGISTERED : KEEPER_ALREADY_UNREGISTERED);
        return true;
    }
    /* Another revision than ours, with our value and under our lease: a write of ours whose answer
     * was lost. Without a lease another process may have written the same value; it is ours only
     * where such a write is known to be missing. */
    bool is_own = keeper_is_ours(keeper, found) && (found->lease != 0 || keeper->is_unsure);
    keeper_see(keeper, found);
    if (keeper->leaves < KEEPER_TRIES_MAX && (is_own || keeper_adopt_state(keeper, found)))
        return false;
    kept_lease_trust(&keeper->lease);
    keeper_tell(keeper, KEEPER_LEFT_ALONE);
    return true;
}

static void keeper_on_left(struct keeper *keeper, enum status status,
                           const struct kv_txn_result *result, const struct detail *why)
{
    if (status != STATUS_OK)
        keeper_give_up(keeper, status, why);
    else if (keeper_has_left(keeper, result, kv_guard_found(result)))
        keeper_give_lease_back(keeper);
    else
        keeper_leave(keeper);
}

/* The lease of a put is gone, and with it whatever stood under it. That is an answer and no outage:
 * as if the renewal had met it. Not without end, should etcd grant leases that it does not know
 * then. */
static void keeper_lose_lease(struct keeper *keeper, const struct detail *why)
{
    keeper->is_unsure = false;
    kept_lease_lose(&keeper->lease);
    if (keeper->is_leaving)
        keeper_wait(keeper, 0);
    else if (keeper->tries == KEEPER_TRIES_MAX)
        keeper_retry(keeper, STATUS_NOT_FOUND, why);
    else
        keeper_on_lease(keeper, STATUS_OK, why);
}

/* An answer ends the doubt: the transaction has seen what is there. A no ends that of the request
 * that it answers. But what was sent and not answered may yet be done. */
static void keeper_doubt(struct keeper *keeper, enum status status,
                         const struct kv_txn_result *result)
{
    bool is_unknown = outage_is_unknown(status);
    bool may_come_late = keeper->tries > 0 && result->has_stray;
    kept_lease_keep(&keeper->lease, keeper->refresh_ms, may_come_late);
    if (status == STATUS_OK || !is_unknown)
        keeper->is_unsure = keeper->was_unsure && status != STATUS_OK;
}

static void keeper_on_answered(void *arg, enum status status, const struct kv_txn_result *result,
                               const struct detail *why)
{
    struct keeper *keeper = arg;
    if (!keeper_is_awaited(keeper))
        return;
    /* Nothing else is under way since leaving began: this answers the deletion. */
    if (keeper->leaves > 0) {
        keeper_on_left(keeper, status, result, why);
        return;
    }
    keeper_doubt(keeper, status, result);
    if (status == STATUS_NOT_FOUND && keeper->lease.lease) {
        keeper_lose_lease(keeper, why);
    } else if (status != STATUS_OK) {
        keeper_retry(keeper, status, why);
    } else if (!result->succeeded) {
        keeper_put_back(keeper, kv_guard_found(result));
    } else if (keeper->tries > 0) {
        keeper->revision = result->revision;
        keeper->written_lease = keeper->lease.id;
        keeper_be_registered(keeper, keeper->value.sent);
    } else if (keeper->is_registered) {
        keeper_be_registered(keeper, keeper->value.written);
    } else {
        keeper_write(keeper, 0); /* there is none */
    }
}

/* Without a lease a beat is a write: that is what `--refresh-every` alone has always meant. But
 * what such an entry takes the place of is seen first. With one, the entry is written where it is
 * under another lease than the one that is alive now, or has another value. */
static void keeper_check(struct keeper *keeper)
{
    bool is_write = keeper->is_registered;
    if (keeper->lease.id != 0)
        is_write = keeper->lease.id != keeper->written_lease || kept_value_is_news(&keeper->value);
    if (is_write)
        keeper_write(keeper, keeper->revision);
    else
        keeper_ask(keeper, keeper->revision, NULL, 0);
}

static void keeper_freshen_lease(struct keeper *keeper);

static void keeper_on_lease(void *arg, enum status status, const struct detail *why)
{
    struct keeper *keeper = arg;
    if (status != STATUS_OK) {
        keeper_retry(keeper, status, why);
    } else if (keeper->lease.id == 0) {
        keeper_tell(keeper, KEEPER_LEASE_LOST);
        keeper_freshen_lease(keeper);
    } else {
        keeper_check(keeper);
    }
}

static void keeper_freshen_lease(struct keeper *keeper)
{
    if (!keeper->lease.lease)
        keeper_check(keeper);
    else if (!keeper->is_over)
        kept_lease_renew(&keeper->lease, keeper->refresh_ms, keeper_on_lease);
}

/* Delete the entry where it is still our own. */
static void keeper_leave(struct keeper *keeper)
{
    struct kv_op removal = {.kind = KV_DELETE, .key = keeper->key, .key_len = keeper->key_len};
    uint64_t now_ms = uv_now(keeper->loop);
    /* 1 and not 0, which is the client's own time limit. */
    uint64_t left_ms = keeper->deadline_ms > now_ms ? keeper->deadline_ms - now_ms : 1;
    keeper->is_busy = true;
    keeper->leaves++;
    keeper_wake_in(keeper, left_ms);
    keeper_ask(keeper, keeper->revision, &removal, (uint32_t)left_ms);
}

static void keeper_on_timer(uv_timer_t *timer)
{
    static const struct detail late = {"no answer in time"};
    struct keeper *keeper = timer->data;
    if (!keeper->is_leaving) {
        keeper->is_busy = true;
        keeper->beat_ms = uv_now(keeper->loop);
        keeper->tries = 0;
        keeper_freshen_lease(keeper);
    } else if (!keeper->is_busy) {
        keeper_leave(keeper);
    } else {
        keeper_give_up(keeper, STATUS_TIMED_OUT, keeper->outage.failures ? &keeper->why : &late);
    }
}

void keeper_stop(struct keeper *keeper, uint64_t deadline_ms)
{
    if (keeper->is_leaving)
        return;
    keeper->is_leaving = true;
    keeper->deadline_ms = uv_now(keeper->loop) + deadline_ms;
    /* Not at once, as no event comes from inside a call. While a beat goes on, the timer is the
     * deadline, and the beat's end goes on with leaving. */
    keeper_wake_in(keeper, keeper->is_busy ? deadline_ms : 0);
}

/* Write what is new at once, or when the beat that goes on has ended. */
static enum status keeper_hurry(struct keeper *keeper, enum status status)
{
    if (kept_value_is_news(&keeper->value) && !keeper->is_busy && !keeper->is_leaving)
        keeper_wake_in(keeper, 0);
    return status;
}

enum status keeper_set_value(struct keeper *keeper, const char *value, size_t value_len,
                             struct detail *why)
{
    return keeper_hurry(keeper, kept_value_set(&keeper->value, value, value_len, why));
}

enum status keeper_set_draining(struct keeper *keeper, bool is_draining, struct detail *why)
{
    return keeper_hurry(keeper, kept_value_set_draining(&keeper->value, is_draining, why));
}

bool keeper_is_registered(const struct keeper *keeper)
{
    return keeper->is_registered;
}

bool keeper_may_be_registered(const struct keeper *keeper)
{
    return keeper->is_registered || keeper->is_unsure;
}

bool keeper_is_written(const struct keeper *keeper)
{
    return keeper->is_registered && !kept_value_is_news(&keeper->value);
}

enum status keeper_new(const struct keeper_options *options, struct keeper **out)
{
    struct keeper *keeper = calloc(1, sizeof(*keeper) + options->key_len);
    if (!keeper)
        return STATUS_NO_MEMORY;
    *keeper = (struct keeper){
        .etcd = options->etcd,
        .loop = options->loop,
        .on_event = options->on_event,
        .arg = options->arg,
        .refresh_ms = options->refresh_ms,
        .requests = 1, /* the timer's end */
        .key_len = options->key_len,
    };
    memcpy(keeper->key, options->key, options->key_len);
    enum status status = kept_value_init(&keeper->value, options->value, options->value_len);
    if (status == STATUS_OK)
        status = kept_lease_enter(options->lease, options->etcd, options->loop, options->ttl_s,
                                  keeper, &keeper->lease);
    if (status != STATUS_OK) {
        keeper_dispose(keeper);
        return status;
    }
    uv_timer_init(options->loop, &keeper->timer);
    keeper->timer.data = keeper;
    keeper_wake_in(keeper, 0);
    *out = keeper;
    return STATUS_OK;
}

static void keeper_on_closed(uv_handle_t *handle)
{
    (void)keeper_is_awaited(handle->data);
}

void keeper_free(struct keeper *keeper)
{
    if (!keeper)
        return;
    /* The lease's answer is not waited for, as it no longer points here; those of our own requests
     * do. */
    keeper->is_over = true;
    kept_lease_cancel(&keeper->lease);
    uv_close((uv_handle_t *)&keeper->timer, keeper_on_closed);
}
