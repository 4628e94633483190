#include "keeper.h"

#include "cli/process/ending.h"
#include "put.h"
#include "registry/entry_state.h"
#include "registry/outage.h"

#include "registry/entry.h"
#include "registry/etcd/lease.h"
#include "registry/lease_id.h"

#include <stdlib.h>
#include <string.h>

#define MS_PER_S  1000
#define TRIES_MAX 4 /* of one beat: somebody else writes, too */

struct keeper {
    struct session *session;
    const struct registration *registration;
    char *value; /* what the entry should be: as registered, or with the state changed */
    size_t value_len;
    int64_t lease;      /* 0: none, or none yet */
    int64_t lost_lease; /* the one before */
    int64_t kept_lease; /* of the entry when it was last as it should be, */
    int64_t revision;   /* and its revision then; 0: never yet */
    unsigned tries;     /* to write, in this beat */
    unsigned leaves;    /* tries to delete */
    uv_timer_t beat, deadline;
    struct ending ending;
    uint64_t beat_ms; /* when this beat began */
    struct outage outage;
    struct detail why; /* the last one */
    bool is_registered, is_busy, is_leaving, is_over;
    bool is_unsure; /* what a write came to is not known */
    int exit_status;
};

static void keeper_begin_beat(struct keeper *keeper);
static void keeper_leave(struct keeper *keeper);

static void keeper_say(struct keeper *keeper, enum log_level level, const char *what)
{
    const struct registration_id *id = &keeper->registration->id;
    log_printf(keeper->session->log, level, "service %s (%s) %s", id->name, id->type, what);
}

static void keeper_end(struct keeper *keeper, int exit_status)
{
    keeper->is_over = true;
    keeper->exit_status = exit_status;
    uv_stop(&keeper->session->loop);
}

static void keeper_on_beat(uv_timer_t *timer)
{
    keeper_begin_beat(timer->data);
}

static void keeper_wait_until_next(struct keeper *keeper, uint64_t delay_ms)
{
    keeper->is_busy = false;
    if (keeper->is_leaving)
        keeper_leave(keeper);
    else
        uv_timer_start(&keeper->beat, keeper_on_beat, delay_ms, 0);
}

/* A beat's end, as it should be. */
static void keeper_rest(struct keeper *keeper)
{
    if (outage_end(&keeper->outage))
        log_printf(keeper->session->log, LOG_LEVEL_INFO, "etcd answers again: %s",
                   etcd_last_endpoint(keeper->session->etcd));
    uint64_t now_ms = uv_now(&keeper->session->loop);
    uint64_t due_ms = keeper->beat_ms + keeper->registration->refresh_s * MS_PER_S;
    keeper_wait_until_next(keeper, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* A beat's end when etcd did not do what it should. */
static void keeper_retry(struct keeper *keeper, enum status status, const struct detail *why)
{
    keeper->why = *why;
    if (!keeper->is_registered && outage_is_permanent(status)) {
        keeper_end(keeper, session_report(keeper->session->log, status, why));
        return;
    }
    const char *advice = session_outage_advice(status);
    if (outage_is_new(&keeper->outage, status))
        log_printf(keeper->session->log, LOG_LEVEL_WARNING,
                   "service %s (%s): %s%s%s (trying again)", keeper->registration->id.name,
                   keeper->registration->id.type, why->text, *advice ? "; " : "", advice);
    uint64_t refresh_ms = keeper->registration->refresh_s * MS_PER_S;
    uint64_t delay_ms = outage_delay_ms(&keeper->outage);
    keeper_wait_until_next(keeper, delay_ms < refresh_ms ? delay_ms : refresh_ms);
}

/* The lease of the entry is gone: another one at the next try. */
static void keeper_lose_lease(struct keeper *keeper)
{
    keeper->lost_lease = keeper->lease;
    keeper->lease = 0;
}

/* Change the entry, or only look, where its revision still is the one that was seen: what comes
 * late, when it has long been given up, finds another. If not, say what is there. A lease is more
 * of the same: what comes when it has been revoked is refused. */
static void keeper_ask(struct keeper *keeper, int64_t seen_revision, const struct kv_op *op,
                       uint32_t timeout_ms, kv_txn_done *done)
{
    struct put_guard guard;
    put_guard(&guard, &keeper->registration->id.key, seen_revision, op);
    guard.txn.timeout_ms = timeout_ms;
    kv_txn(keeper->session->etcd, &guard.txn, done, keeper);
}

static void keeper_see(struct keeper *keeper, const struct kv *found)
{
    keeper->revision = found->mod_revision;
    keeper->kept_lease = found->lease;
}

/* `service drain` or `undrain` did it: our value with the other state. Then that is what we keep.
 */
static bool keeper_adopt_state(struct keeper *keeper, const struct kv *found)
{
    bool is_draining;
    bool is_own = keeper->lease != 0 || keeper->is_registered;
    if (!is_own || found->lease != keeper->lease ||
        !entry_state_differs_only(keeper->value, keeper->value_len, found->value, found->value_len,
                                  &is_draining))
        return false;
    char *value = strndup(found->value, found->value_len);
    if (!value)
        return false;
    free(keeper->value);
    keeper->value = value;
    keeper->value_len = found->value_len;
    keeper_say(keeper, LOG_LEVEL_INFO, is_draining ? "is draining" : "is up again");
    return true;
}

static bool keeper_has_our_value(const struct keeper *keeper, const struct kv *found)
{
    return entry_text_len(found->value, found->value_len) == keeper->value_len &&
           memcmp(found->value, keeper->value, keeper->value_len) == 0;
}

/* As it should be: written by us, though the answer may have been lost. */
static bool keeper_is_kept(const struct keeper *keeper, const struct kv *found)
{
    return found->lease == keeper->lease && keeper_has_our_value(keeper, found);
}

static const struct kv *keeper_found_kv(const struct kv_txn_result *result)
{
    bool has_one = !result->succeeded && result->op_count > 0 && result->ops[0].kv_count > 0;
    return has_one ? &result->ops[0].kvs[0] : NULL;
}

static void keeper_be_registered(struct keeper *keeper)
{
    keeper_say(keeper, keeper->is_registered ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
               keeper->is_registered ? "refreshed" : "registered");
    keeper->is_registered = true;
    keeper_rest(keeper);
}

/* What is registered for the first time takes the place of whatever is there. */
static void keeper_say_found(struct keeper *keeper, const struct kv *found)
{
    if (!keeper->is_registered)
        return;
    if (!found)
        keeper_say(keeper, LOG_LEVEL_INFO, "had vanished: putting it back");
    else if (keeper->lost_lease == 0 || found->lease != keeper->lost_lease ||
             !keeper_has_our_value(keeper, found))
        keeper_say(keeper, LOG_LEVEL_WARNING, "was changed by another process: putting it back");
}

static void keeper_on_answered(void *arg, enum status status, const struct kv_txn_result *result,
                               const struct detail *why);

static void keeper_write_entry(struct keeper *keeper, int64_t seen_revision)
{
    const struct kv_key *key = &keeper->registration->id.key;
    struct kv_op put = {.kind = KV_PUT,
                        .key = key->text,
                        .key_len = key->len,
                        .value = keeper->value,
                        .value_len = keeper->value_len,
                        .lease = keeper->lease};
    keeper->tries++;
    keeper_ask(keeper, seen_revision, &put, 0, keeper_on_answered);
}

/* It is not as it was seen last. */
static void keeper_put_back(struct keeper *keeper, const struct kv *found)
{
    struct detail changed;
    if (keeper->is_leaving) {
        keeper_wait_until_next(keeper, 0);
    } else if (found && (keeper_is_kept(keeper, found) || keeper_adopt_state(keeper, found))) {
        keeper_see(keeper, found);
        keeper_be_registered(keeper);
    } else if (keeper->tries == TRIES_MAX) {
        keeper_retry(keeper, detail_set(&changed, STATUS_CONFLICT, "the entry is being changed"),
                     &changed);
    } else {
        keeper_say_found(keeper, found);
        keeper_write_entry(keeper, found ? found->mod_revision : 0);
    }
}

static void keeper_on_answered(void *arg, enum status status, const struct kv_txn_result *result,
                               const struct detail *why)
{
    struct keeper *keeper = arg;
    if (keeper->is_over)
        return;
    keeper->is_unsure = status != STATUS_OK && (keeper->is_unsure || keeper->tries > 0);
    if (status != STATUS_OK) {
        if (status == STATUS_NOT_FOUND)
            keeper_lose_lease(keeper);
        keeper_retry(keeper, status, why);
        return;
    }
    if (!result->succeeded) {
        keeper_put_back(keeper, keeper_found_kv(result));
        return;
    }
    if (keeper->tries == 0 && !keeper->is_registered) {
        keeper_write_entry(keeper, 0); /* there is none */
        return;
    }
    if (keeper->tries > 0) {
        keeper->revision = result->revision;
        keeper->kept_lease = keeper->lease;
    }
    keeper_be_registered(keeper);
}

/* Without a lease a beat is a write: that is what `--refresh-every` alone has always meant. But
 * what such an entry takes the place of is seen first. */
static void keeper_check_entry(struct keeper *keeper)
{
    bool is_write =
        keeper->lease == 0 ? keeper->is_registered : keeper->lease != keeper->kept_lease;
    keeper->tries = 0;
    if (is_write)
        keeper_write_entry(keeper, keeper->revision);
    else
        keeper_ask(keeper, keeper->revision, NULL, 0, keeper_on_answered);
}

static void keeper_on_granted(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                              int64_t left_s, const struct detail *why)
{
    (void)granted_ttl_s;
    (void)left_s;
    struct keeper *keeper = arg;
    if (keeper->is_over)
        return;
    if (status != STATUS_OK) {
        keeper_retry(keeper, status, why);
        return;
    }
    keeper->lease = id;
    keeper_check_entry(keeper);
}

static void keeper_grant(struct keeper *keeper)
{
    int64_t id;
    enum status status = lease_id_new(keeper->registration->ttl_s, &id);
    if (status == STATUS_OK) {
        lease_grant(keeper->session->etcd, id, keeper->registration->ttl_s, keeper_on_granted,
                    keeper);
        return;
    }
    struct detail why;
    keeper_retry(keeper, detail_set(&why, status, "no random number for a lease"), &why);
}

static void keeper_on_kept(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                           int64_t left_s, const struct detail *why)
{
    (void)id;
    (void)granted_ttl_s;
    (void)left_s;
    struct keeper *keeper = arg;
    if (keeper->is_over)
        return;
    if (status == STATUS_NOT_FOUND) {
        keeper_say(keeper, LOG_LEVEL_INFO, "lost its lease: asking for another");
        keeper_lose_lease(keeper);
        keeper_grant(keeper);
    } else if (status != STATUS_OK) {
        keeper_retry(keeper, status, why);
    } else {
        keeper_check_entry(keeper);
    }
}

static void keeper_begin_beat(struct keeper *keeper)
{
    keeper->is_busy = true;
    keeper->beat_ms = uv_now(&keeper->session->loop);
    if (keeper->registration->ttl_s == 0)
        keeper_check_entry(keeper);
    else if (keeper->lease == 0)
        keeper_grant(keeper);
    else
        lease_keep_alive(keeper->session->etcd, keeper->lease, keeper_on_kept, keeper);
}

static void keeper_on_revoked(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                              int64_t left_s, const struct detail *why)
{
    /* What cannot be revoked expires. */
    (void)status;
    (void)id;
    (void)granted_ttl_s;
    (void)left_s;
    (void)why;
    struct keeper *keeper = arg;
    if (!keeper->is_over)
        keeper_end(keeper, 0);
}

static void keeper_give_back_lease(struct keeper *keeper)
{
    if (keeper->lease != 0)
        lease_revoke(keeper->session->etcd, keeper->lease, keeper_on_revoked, keeper);
    else
        keeper_end(keeper, 0);
}

static void keeper_give_up_leaving(struct keeper *keeper, const char *reason)
{
    const struct registration *registration = keeper->registration;
    if (!keeper->is_registered) {
        keeper_end(keeper, 0);
        return;
    }
    log_printf(keeper->session->log, LOG_LEVEL_ERROR,
               "service %s (%s) could not be unregistered: %s (%s)", registration->id.name,
               registration->id.type, reason,
               registration->ttl_s > 0 ? "it goes when its TTL is over"
                                       : "unregister it when etcd is back");
    keeper_end(keeper, 1);
}

/* False: it is to be tried again. */
static bool keeper_has_left(struct keeper *keeper, const struct kv_txn_result *result,
                            const struct kv *found)
{
    if (!found) {
        bool is_deleted = result->succeeded && result->op_count > 0 && result->ops[0].deleted > 0;
        keeper_say(keeper, LOG_LEVEL_INFO, is_deleted ? "unregistered" : "already unregistered");
        return true;
    }
    bool is_own = keeper_is_kept(keeper, found) && (found->lease != 0 || keeper->is_unsure);
    if (keeper->leaves < TRIES_MAX && (is_own || keeper_adopt_state(keeper, found))) {
        keeper_see(keeper, found);
        return false;
    }
    keeper_say(keeper, LOG_LEVEL_WARNING, "was changed by another process: left as it is");
    if (found->lease == keeper->lease)
        keeper->lease = 0; /* revoking would delete it */
    return true;
}

static void keeper_on_left(void *arg, enum status status, const struct kv_txn_result *result,
                           const struct detail *why)
{
    struct keeper *keeper = arg;
    if (keeper->is_over)
        return;
    if (status != STATUS_OK) {
        keeper_give_up_leaving(keeper, why->text);
        return;
    }
    if (keeper_has_left(keeper, result, keeper_found_kv(result)))
        keeper_give_back_lease(keeper);
    else
        keeper_leave(keeper);
}

/* Delete the entry where it is still our own. */
static void keeper_leave(struct keeper *keeper)
{
    const struct kv_key *key = &keeper->registration->id.key;
    struct kv_op delete = {.kind = KV_DELETE, .key = key->text, .key_len = key->len};
    keeper->leaves++;
    keeper_ask(keeper, keeper->revision, &delete, KEEPER_LEAVE_MS, keeper_on_left);
}

static void keeper_on_deadline(uv_timer_t *timer)
{
    struct keeper *keeper = timer->data;
    keeper_give_up_leaving(keeper,
                           keeper->outage.backoff_ms > 0 ? keeper->why.text : "no answer in time");
}

/* A request under way is waited for, lest what it writes comes after the deletion. */
static void keeper_on_ending(void *arg)
{
    struct keeper *keeper = arg;
    if (keeper->is_leaving) {
        keeper_give_up_leaving(keeper, "a second signal came");
        return;
    }
    keeper->is_leaving = true;
    uv_timer_stop(&keeper->beat);
    uv_timer_start(&keeper->deadline, keeper_on_deadline, KEEPER_LEAVE_MS, 0);
    if (!keeper->is_busy)
        keeper_leave(keeper);
}

static void keeper_start(struct keeper *keeper)
{
    uv_loop_t *loop = &keeper->session->loop;
    uv_timer_init(loop, &keeper->beat);
    uv_timer_init(loop, &keeper->deadline);
    keeper->beat.data = keeper->deadline.data = keeper;
    ending_start(&keeper->ending, loop, keeper_on_ending, keeper);
    keeper_begin_beat(keeper);
}

static void keeper_stop(struct keeper *keeper)
{
    uv_close((uv_handle_t *)&keeper->beat, NULL);
    uv_close((uv_handle_t *)&keeper->deadline, NULL);
    ending_stop(&keeper->ending);
    session_disconnect(keeper->session);
}

int keeper_run(struct session *session, const struct registration *registration)
{
    struct keeper keeper = {.session = session,
                            .registration = registration,
                            .value = strdup(registration->value),
                            .value_len = registration->value_len};
    if (!keeper.value) {
        detail_set(&session->why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
        return session_fail(session, STATUS_NO_MEMORY);
    }
    keeper_start(&keeper);
    uv_run(&session->loop, UV_RUN_DEFAULT);
    keeper_stop(&keeper);
    free(keeper.value);
    return keeper.exit_status;
}
